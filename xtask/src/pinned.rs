//! Programs of a pinned release that some tasks run: the one of an earlier run, one in PATH, or a new one under `target/tools`.
//! Nothing is installed anywhere else.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::command::{cargo, find, program};

/// A program that cargo can install.
pub(crate) struct Pinned {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Pinned {
    /// Where it is, once it is there.
    pub(crate) fn provide(&self, root: &Path) -> Result<PathBuf, Failure> {
        let tools = root.join("target/tools");
        let own = tools.join("bin").join(self.name);
        if let Some(present) = [Some(own.clone()), find(self.name)].into_iter().flatten().find(|file| self.is(file)) {
            return Ok(present);
        }
        println!("installing {} {} under target/tools, once", self.name, self.version);
        self.install(root, &tools)?;
        Ok(own)
    }

    fn is(&self, file: &Path) -> bool {
        program(file, ["--version"]).capture().is_ok_and(|version| version.trim().ends_with(self.version))
    }

    /// Unoptimized and without its debug information: cargo-deny takes 80 s on two cores so, many minutes with the fat LTO of its
    /// release profile, and its check takes 2 s either way.
    fn install(&self, root: &Path, tools: &Path) -> Result<(), Failure> {
        let version = format!("={}", self.version);
        let tools = tools.to_string_lossy();
        let args = ["install", "--quiet", "--locked", "--debug", "--no-default-features"];
        let advice =
            format!("see whether this machine reaches the registry, or put that version of {} into PATH", self.name);
        cargo(root, args.into_iter().chain(["--version", &version, "--root", &tools, self.name]))
            .env("CARGO_PROFILE_DEV_DEBUG", "none")
            .advice(&advice)
            .run()
    }
}
