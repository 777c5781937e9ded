//! The step that provides what the other steps run: it looks for each program, installs by apt as root, and else says what to install.
//! It never installs what is already there, and never touches a toolchain.

use std::path::Path;

use crate::Failure;
use crate::command::{cargo, find, program};

/// A program that a step needs, with the reason and the source.
struct Needed {
    program: &'static str,
    why: &'static str,
    from: Source,
}

enum Source {
    /// A package of Debian and Ubuntu.
    Apt(&'static str),
    /// A component of the Rust toolchain.
    Toolchain(&'static str),
}

#[rustfmt::skip]
const NEEDED: &[Needed] = &[
    Needed { program: "cargo-fmt",    why: "the format step",                            from: Source::Toolchain("rustfmt") },
    Needed { program: "cargo-clippy", why: "the lints step",                             from: Source::Toolchain("clippy") },
    Needed { program: "cc",           why: "links Rust, and compiles the C of ring, blake3 and corosensei", from: Source::Apt("gcc") },
    Needed { program: "git",          why: "says which files belong to the repository",  from: Source::Apt("git") },
    Needed { program: "docker-registry", why: "the registry that tests pull from and push to", from: Source::Apt("docker-registry") },
];

/// Finds or installs every program, then fetches every dependency, so that no later step but `deny` waits for the network.
pub(super) fn provide(root: &Path) -> Result<(), Failure> {
    let missing: Vec<&Needed> = NEEDED.iter().filter(|needed| find(needed.program).is_none()).collect();
    for needed in &missing {
        println!("missing: {} ({})", needed.program, needed.why);
    }
    let packages: Vec<&str> = missing.iter().filter_map(|needed| needed.package()).collect();
    let components: Vec<&str> = missing.iter().filter_map(|needed| needed.component()).collect();
    if !components.is_empty() {
        return Err(Failure::new(format!("the Rust toolchain lacks {}", components.join(" and ")))
            .next(format!("run `rustup component add {}`", components.join(" "))));
    }
    if !packages.is_empty() {
        install(&packages)?;
    }
    cargo(root, ["fetch", "--locked"])
        .advice("Cargo.lock must be current, and the registry or its cache reachable")
        .run()
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    let names = packages.join(" ");
    if find("apt-get").is_none() || !is_root() {
        return Err(Failure::new(format!("these packages are missing, and only root may install them: {names}")).next(
            format!("run `sudo apt-get install --no-install-recommends {names}`, or what your system calls it"),
        ));
    }
    program("apt-get", ["update"]).advice("see whether this machine reaches its package archive").capture()?;
    let args = ["install", "--yes", "--no-install-recommends"];
    program("apt-get", args.into_iter().chain(packages.iter().copied()))
        .env("DEBIAN_FRONTEND", "noninteractive")
        .advice("install them by hand")
        .capture()?;
    println!("installed: {names}");
    Ok(())
}

/// Whether this process may install packages. `id` is asked because std has no getuid and this crate has no unsafe code.
fn is_root() -> bool {
    program("id", ["-u"]).capture().is_ok_and(|uid| uid.trim() == "0")
}

impl Needed {
    fn package(&self) -> Option<&'static str> {
        match self.from {
            Source::Apt(package) => Some(package),
            Source::Toolchain(_) => None,
        }
    }

    fn component(&self) -> Option<&'static str> {
        match self.from {
            Source::Toolchain(component) => Some(component),
            Source::Apt(_) => None,
        }
    }
}
