//! What a person types while working on cofferdam: `cargo xtask test`, `cargo xtask guests`, `cargo xtask demo`,
//! `cargo xtask bench`, `cargo xtask fuzz`.
//!
//! One module for each subcommand; [`mod@test`] is the place to start reading. Nothing of the product imports this crate, and it imports
//! nothing of the product: what it checks and shows, it does by the commands that users have.
#![forbid(unsafe_code)]

mod bench;
mod command;
mod demo;
mod failure;
mod fuzz;
mod guests;
mod layers;
mod pinned;
mod test;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) use failure::Failure;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows cofferdam")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs everything that must pass before a change is merged
    Test {
        /// Only these steps, by name; the first line of each step shows its name
        #[arg(value_name = "STEP")]
        only: Vec<String>,
    },
    /// Builds the test actors, which needs a toolchain for wasm32
    Guests {
        /// Only compare what is in the repository with its sources, which needs none
        #[arg(long)]
        check: bool,
    },
    /// Runs the demo until Ctrl-C, and says what to try
    Demo {
        /// Try it all, say what happened, and end
        #[arg(long)]
        check: bool,
    },
    /// Builds in release and measures what is promised about speed: a table, and bench.json and bench.svg in target/bench
    ///
    /// Exits with 1 when a promise is broken, and with 2 when there is no such part.
    Bench {
        /// Only these parts, by name; an unknown name lists them
        #[arg(value_name = "PART")]
        only: Vec<String>,
        /// How the result is printed
        #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
        output: bench::Format,
    },
    /// Feeds the parsers what a hostile peer could send, until something breaks or the time is over
    Fuzz {
        /// Only these targets, by name
        #[arg(value_name = "TARGET")]
        only: Vec<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 600)]
        seconds: u32,
    },
    /// What the demo starts the host by
    #[command(hide = true)]
    BecomeHost {
        parent: i32,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match find_root().and_then(|root| run(arguments.task, &root)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task, root: &Path) -> Result<ExitCode, Failure> {
    let done = match task {
        Task::Bench { only, output } => return bench::run(root, &only, output),
        Task::Test { only } => test::run(root, &only),
        Task::Guests { check: true } => guests::check(root),
        Task::Guests { check: false } => guests::build(root),
        Task::Demo { check: true } => demo::check(root),
        Task::Demo { check: false } => demo::show(root),
        Task::Fuzz { only, seconds } => fuzz::run(root, &only, seconds),
        Task::BecomeHost { parent, command } => Err(demo::become_host(parent, &command)),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The root of the workspace: cargo says where this package lies, and without cargo we look upwards from here.
fn find_root() -> Result<PathBuf, Failure> {
    let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => PathBuf::from(package),
        None => std::env::current_dir().map_err(|error| format!("the current folder has no name: {error}"))?,
    };
    let root = start.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.map(Path::to_path_buf).ok_or_else(|| {
        Failure::new(format!("no folder from {} upwards has a Cargo.lock", start.display()))
            .next("run `cargo xtask` inside the repository")
    })
}
