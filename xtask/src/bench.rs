//! `cargo xtask bench`: everything that is promised about speed, measured in release. What is measured, and what of it holds,
//! is the bench's own affair (`benches/`); its exit code is ours.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::Failure;
use crate::command::{cargo, program};

/// How the result is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// A table.
    Text,
    /// One JSON object.
    Json,
}

/// Builds everything, because what is measured are the programs and libraries that users have; then measures.
pub(crate) fn run(root: &Path, only: &[String], output: Format) -> Result<ExitCode, Failure> {
    let build = ["build", "--release", "--workspace", "--locked"];
    cargo(root, build).advice("mend the first error above").run()?;
    let own = env::current_exe().map_err(|error| format!("this program does not know where it is: {error}"))?;
    let profile = own.parent().ok_or("this program lies in no folder")?;
    let format = match output {
        Format::Text => "text",
        Format::Json => "json",
    };
    let args = ["-o", format].into_iter().chain(only.iter().map(String::as_str));
    let bench = program(profile.with_file_name("release").join("cofferdam-benches"), args);
    // It would build the same again, with tests.
    bench.env("COFFERDAM_BUILT", "1").exit_code()
}
