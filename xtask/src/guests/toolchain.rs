//! Finds a Rust toolchain that can build for wasm32, and builds the guests with it, the same bytes wherever it runs.
//!
//! Three kinds, in this order: Debian's `rustc-web` with `rust-web-src` (the one the committed modules come from), the
//! toolchain of PATH with its `rust-src`, and the toolchain of PATH with the target installed. The first two build the
//! standard library too, for the instructions of the first wasm (MVP), which is all that the tools of 2021 accept; the
//! third takes the target's own, which uses newer ones. Never part of a test run: the check needs none of this.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

const TARGET: &str = "wasm32-unknown-unknown";
const INSTALL: &str = "install one: as root, `apt-get install rustc-web cargo-web rust-web-src lld-web` (Debian); or \
                       `rustup component add rust-src`; or `rustup target add wasm32-unknown-unknown`";

/// A toolchain that builds for wasm32.
pub(super) struct Toolchain {
    cargo: &'static str,
    rustc: &'static str,
    sysroot: PathBuf,
    kind: Kind,
    /// The first line of `rustc --version`.
    pub(super) version: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Builds the standard library, links with the system's `wasm-ld`.
    Debian,
    /// Builds the standard library, links with the toolchain's own linker.
    Sources,
    /// Takes the standard library that was installed for the target.
    Target,
}

impl Toolchain {
    /// The first that is installed.
    pub(super) fn find() -> Result<Self, Failure> {
        let candidates = [
            ("/usr/bin/cargo", "/usr/bin/rustc", Kind::Debian),
            ("cargo", "rustc", Kind::Sources),
            ("cargo", "rustc", Kind::Target),
        ];
        candidates
            .into_iter()
            .find_map(|(cargo, rustc, kind)| Self::installed(cargo, rustc, kind))
            .ok_or_else(|| Failure::new(format!("no Rust toolchain here builds for {TARGET}")).next(INSTALL))
    }

    fn installed(cargo: &'static str, rustc: &'static str, kind: Kind) -> Option<Self> {
        let sysroot = PathBuf::from(first_line(rustc, &["--print", "sysroot"])?);
        let needed = match kind {
            Kind::Debian | Kind::Sources => sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml"),
            Kind::Target => sysroot.join("lib/rustlib").join(TARGET),
        };
        let linker = kind != Kind::Debian || first_line("wasm-ld", &["--version"]).is_some();
        let version = first_line(rustc, &["--version"])?;
        (needed.exists() && linker).then_some(Toolchain { cargo, rustc, sysroot, kind, version })
    }

    /// Builds every guest and returns the folder the modules are in.
    pub(super) fn build(&self, root: &Path, guests: &Path) -> Result<PathBuf, Failure> {
        if self.kind == Kind::Target {
            println!("guests: the target's own standard library is used: the modules will not be the committed bytes");
        }
        let target_dir = root.join("target/guests");
        // The folders of downloaded crates must exist before their names can be kept out of the modules.
        self.run(self.command(guests).args(["fetch", "--locked"]))?;
        let mut command = self.command(guests);
        command.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]).arg(&target_dir);
        if self.kind != Kind::Target {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", self.flags(root)?.join("\x1f"));
        self.run(&mut command)?;
        Ok(target_dir.join(TARGET).join("release"))
    }

    /// Fails when a module holds a path of this machine. A path of one part, as `/src` in a container, is not looked for:
    /// it is also in the middle of innocent ones.
    pub(super) fn refuse_paths(&self, root: &Path, name: &str, wasm: &[u8]) -> Result<(), Failure> {
        for (folder, _) in self.remapped(root)?.iter().filter(|(folder, _)| folder.components().count() > 2) {
            let bytes = folder.as_os_str().as_encoded_bytes();
            if wasm.windows(bytes.len()).any(|window| window == bytes) {
                return Err(Failure::from(format!("{name}.wasm holds this machine's path {}", folder.display())));
            }
        }
        Ok(())
    }

    /// Cargo of this toolchain in the guests' workspace, with nothing of the toolchain that runs this program.
    fn command(&self, guests: &Path) -> Command {
        let mut command = Command::new(self.cargo);
        command.current_dir(guests).env("RUSTC", self.rustc).env("RUSTC_BOOTSTRAP", "1");
        for variable in ["CARGO", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTC_WRAPPER", "RUSTFLAGS", "RUSTDOC"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, command: &mut Command) -> Result<(), Failure> {
        let shown = format!("{command:?}");
        let status = command.status().map_err(|e| Failure::from(format!("could not start {}: {e}", self.cargo)))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::from(format!("the guests do not build ({status}): {shown}"))),
        }
    }

    fn flags(&self, root: &Path) -> Result<Vec<String>, Failure> {
        let mut flags = vec!["-Ctarget-cpu=mvp".to_string()];
        if self.kind == Kind::Debian {
            flags.push("-Clinker=wasm-ld".to_string());
        }
        for (folder, name) in self.remapped(root)? {
            flags.push(format!("--remap-path-prefix={}={name}", folder.display()));
        }
        Ok(flags)
    }

    /// Folders of this machine that panics would name, and what they are called instead. rustc takes the last that fits.
    fn remapped(&self, root: &Path) -> Result<Vec<(PathBuf, &'static str)>, Failure> {
        let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
        let cargo_home = cargo_home.ok_or_else(|| Failure::from("neither CARGO_HOME nor HOME is set".to_string()))?;
        let mut folders = vec![
            (root.to_path_buf(), "/cofferdam"),
            (self.sysroot.join("lib/rustlib/src/rust"), "/rustc"),
            (cargo_home.clone(), "/cargo"),
        ];
        let registries = cargo_home.join("registry/src");
        let listed = fs::read_dir(&registries);
        let listed = listed.map_err(|e| Failure::from(format!("could not list {}: {e}", registries.display())))?;
        folders.extend(listed.flatten().map(|registry| (registry.path(), "/crates")));
        Ok(folders)
    }
}

/// The first line that a program prints, when it can be run and succeeds.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_string)
}
