//! The step that runs cargo-deny over `deny.toml`: a release that is pinned here, built once under `target/tools`.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::command::{cargo, find, program};

const VERSION: &str = "0.20.2";

/// Judges every dependency's licence, name and source. Advisories are left out: they need the network, and change while code does not.
pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let deny = provide(root)?;
    // cargo-deny asks cargo for the dependency graph; `--offline` is for that too, because the `tools` step has fetched it all.
    program(&deny, ["--offline", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
        .in_dir(root)
        .advice("leave that dependency out, or allow it in deny.toml in a commit that says why")
        .capture()
        .map(drop)
}

/// The pinned cargo-deny: the one of an earlier run, one in PATH of the same version, or a new one.
fn provide(root: &Path) -> Result<PathBuf, Failure> {
    let tools = root.join("target/tools");
    let own = tools.join("bin/cargo-deny");
    if let Some(present) = [Some(own.clone()), find("cargo-deny")].into_iter().flatten().find(|file| is_pinned(file)) {
        return Ok(present);
    }
    println!("installing cargo-deny {VERSION} under target/tools, once");
    install(root, &tools)?;
    Ok(own)
}

fn is_pinned(file: &Path) -> bool {
    program(file, ["--version"]).capture().is_ok_and(|version| version.trim().ends_with(VERSION))
}

/// Unoptimized and without its debug information: 80 s on two cores, where the release profile with its fat LTO takes many minutes,
/// and the check itself takes 2 s either way.
fn install(root: &Path, tools: &Path) -> Result<(), Failure> {
    let version = format!("={VERSION}");
    let tools = tools.to_string_lossy();
    let args = ["install", "--quiet", "--locked", "--debug", "--no-default-features"];
    cargo(root, args.into_iter().chain(["--version", &version, "--root", &tools, "cargo-deny"]))
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .advice("see whether this machine reaches the registry, or put that version of cargo-deny into PATH")
        .run()
}
