//! `cargo xtask fuzz`: runs the fuzz targets of `fuzz/`, one after the other, each for the same time.
//!
//! Not a step of `cargo xtask test`: what it finds depends on how long it looks. It needs no nightly toolchain, because it lets
//! the stable one take the flags of instrumentation (`RUSTC_BOOTSTRAP`). `docs/fuzzing.md` says what was run.

mod seeds;

use std::path::Path;

use crate::Failure;
use crate::command::{Tool, program};
use crate::pinned::Pinned;

const CARGO_FUZZ: Pinned = Pinned { name: "cargo-fuzz", version: "0.13.2" };

/// A fuzz target, and the longest input that is worth trying there.
struct Target {
    name: &'static str,
    input_bytes_max: u32,
}

const TARGETS: &[Target] = &[
    Target { name: "hello", input_bytes_max: 96 },
    Target { name: "frames", input_bytes_max: 4096 },
    Target { name: "archive", input_bytes_max: 6144 },
    Target { name: "claims", input_bytes_max: 4096 },
    Target { name: "manifest", input_bytes_max: 4096 },
    Target { name: "library", input_bytes_max: 4096 },
    Target { name: "operator", input_bytes_max: 4096 },
];

/// Runs the named targets, or all, each for so many seconds; the first finding ends it.
pub(crate) fn run(root: &Path, only: &[String], seconds: u32) -> Result<(), Failure> {
    let targets = choose(only)?;
    let cargo_fuzz = CARGO_FUZZ.provide(root)?;
    for target in targets {
        println!("\n{}: {seconds} s", target.name);
        seeds::write(root, target.name)?;
        // By itself, so that a target that does not compile is not told as a finding.
        target.command(root, &cargo_fuzz, "build", &[]).advice("mend the first error above").run()?;
        target.run(root, &cargo_fuzz, seconds)?;
    }
    Ok(())
}

fn choose(only: &[String]) -> Result<Vec<&'static Target>, Failure> {
    if let Some(unknown) = only.iter().find(|name| TARGETS.iter().all(|target| target.name != **name)) {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(Failure::new(format!("no fuzz target is called `{unknown}`"))
            .next(format!("name one or more of: {}", names.join(", "))));
    }
    Ok(TARGETS.iter().filter(|target| only.is_empty() || only.iter().any(|name| name == target.name)).collect())
}

impl Target {
    fn run(&self, root: &Path, cargo_fuzz: &Path, seconds: u32) -> Result<(), Failure> {
        let limits = [
            "--".to_owned(),
            format!("-max_total_time={seconds}"),
            format!("-max_len={}", self.input_bytes_max),
            // Far more than any input of this length may cost.
            "-rss_limit_mb=2048".to_owned(),
            "-timeout=10".to_owned(),
            "-print_final_stats=1".to_owned(),
        ];
        let advice = format!("the input lies in fuzz/artifacts/{}; docs/fuzzing.md says what to do with it", self.name);
        self.command(root, cargo_fuzz, "run", &limits).advice(&advice).run()
    }

    fn command(&self, root: &Path, cargo_fuzz: &Path, task: &str, more: &[String]) -> Tool {
        let args = [task, "--fuzz-dir", ".", self.name].into_iter().chain(more.iter().map(String::as_str));
        program(cargo_fuzz, args).in_dir(&root.join("fuzz")).env("RUSTC_BOOTSTRAP", "1")
    }
}
