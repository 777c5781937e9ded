//! What is promised about speed, each number next to a floor or a peer that is measured in the same run and in turns with it.
//!
//! Absolute times of a shared machine mean nothing; the ratio is the result. `cargo xtask bench` builds and runs this; so does
//! `cargo run --release -p cofferdam-benches`. Prints a table (`-o json`: one JSON object), and writes `bench.json` and
//! `bench.svg` into `target/bench`. Names of parts measure these only.
//! Exits with 1 when a promise is broken, and with 2 when it does not understand what it is told.
//!
//! Start reading at `parts/mod.rs`; `row.rs` is what a part comes to. Only `peers/ring.rs` is unsafe.
#![deny(unsafe_code)]

mod callers;
mod load;
mod parts;
mod peers;
mod proc;
mod processor;
mod progress;
mod report;
mod role;
mod rounds;
mod row;
mod stage;
mod stamps;

use std::io;
use std::process::ExitCode;

use cofferdam_tests::artifacts;

use parts::{PARTS, Part};
use report::Report;

/// What this program was told.
struct Wanted {
    parts: Vec<&'static Part>,
    json: bool,
}

fn main() -> ExitCode {
    if let Some(code) = role::play() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [parts::ALONE, part] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return measure_here(part);
    }
    let wanted = match Wanted::read(&arguments) {
        Ok(wanted) => wanted,
        Err(misunderstood) => {
            let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
            eprintln!("{misunderstood}: say `-o json`, or some of {}", names.join(", "));
            return ExitCode::from(2);
        }
    };
    match run(&wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the result could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all promises hold.
fn run(wanted: &Wanted) -> io::Result<bool> {
    let programs = artifacts::programs();
    let report = Report { parts: wanted.parts.iter().map(|part| part.measure()).collect() };
    // Programs lie in target/PROFILE.
    let files = report.write(&programs.with_file_name("bench"))?;
    if wanted.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.table());
        println!("written: {} and {}", files[0].display(), files[1].display());
    }
    Ok(report.holds())
}

fn measure_here(part: &str) -> ExitCode {
    match Part::of(part).map(Part::tell) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{part} was measured, and nobody could be told: {error}");
            ExitCode::FAILURE
        }
        None => ExitCode::from(2),
    }
}

impl Wanted {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let (mut parts, mut json) = (Vec::new(), false);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "-ojson" | "--output=json" => json = true,
                "-o" | "--output" => {
                    let format = arguments.next().map(String::as_str).unwrap_or_default();
                    json = match format {
                        "json" => true,
                        "text" => false,
                        _ => return Err(format!("there is no output format `{format}`")),
                    };
                }
                name => parts.push(Part::of(name).ok_or_else(|| format!("there is no part `{name}`"))?),
            }
        }
        if parts.is_empty() {
            parts = PARTS.iter().collect();
        }
        Ok(Self { parts, json })
    }
}

#[cfg(test)]
mod tests {
    use super::{PARTS, Wanted};

    #[test]
    fn all_parts_are_wanted_unless_some_are_named() {
        let read = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Wanted::read(&words)
                .map(|wanted| (wanted.parts.iter().map(|part| part.name).collect::<Vec<_>>(), wanted.json))
        };
        let all: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        assert_eq!(read(""), Ok((all.clone(), false)));
        assert_eq!(read("-o json"), Ok((all, true)));
        assert_eq!(read("starts -o text calls"), Ok((vec!["starts", "calls"], false)));
        assert_eq!(read("start"), Err("there is no part `start`".to_owned()));
        assert_eq!(read("-o yaml"), Err("there is no output format `yaml`".to_owned()));
    }
}
