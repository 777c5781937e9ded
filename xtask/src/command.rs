//! Running other programs: every child of xtask starts here, with its output kept or shown and its failure told in one shape.
//! It never goes through a shell.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::Failure;

const LINES_QUOTED_MAX: usize = 20;
const LINES_WAITING_MAX: usize = 1024;

/// A program with its arguments, and the advice for the day it fails.
pub(crate) struct Tool {
    command: Command,
    shown: String,
    advice: Option<String>,
}

/// Which of a child's two streams a line came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// `cargo`, the same one that runs this task, at the root of the workspace.
pub(crate) fn cargo<'a>(root: &Path, args: impl IntoIterator<Item = &'a str>) -> Tool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tool = Tool::new(&cargo, "cargo", args).in_dir(root);
    if std::io::stderr().is_terminal() {
        tool = tool.env("CARGO_TERM_COLOR", "always");
    }
    tool
}

/// Any other program, found in PATH or named by its path.
pub(crate) fn program<'a>(name: impl AsRef<OsStr>, args: impl IntoIterator<Item = &'a str>) -> Tool {
    let shown = name.as_ref().to_string_lossy().into_owned();
    Tool::new(name.as_ref(), &shown, args)
}

/// Whether `cargo run` set this variable for us. Build scripts watch some of these: a cargo of ours would compile ring again that
/// a cargo of the user's has compiled, and the other way round.
fn is_about_this_package(variable: &OsStr) -> bool {
    let name = variable.as_encoded_bytes();
    name.starts_with(b"CARGO_PKG_") || name.starts_with(b"CARGO_MANIFEST_")
}

/// Where PATH has a program of this name.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Tool {
    fn new<'a>(program: &OsStr, name: &str, args: impl IntoIterator<Item = &'a str>) -> Self {
        let args: Vec<&str> = args.into_iter().collect();
        let shown = std::iter::once(name).chain(args.iter().copied()).collect::<Vec<_>>().join(" ");
        let mut command = Command::new(program);
        command.args(&args).stdin(Stdio::null());
        for name in std::env::vars_os().map(|(name, _)| name).filter(|name| is_about_this_package(name)) {
            command.env_remove(name);
        }
        Self { command, shown, advice: None }
    }

    pub(crate) fn in_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What the reader should do when this fails.
    pub(crate) fn advice(mut self, text: &str) -> Self {
        self.advice = Some(text.to_owned());
        self
    }

    /// Runs it with its output on our own terminal.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let status = self.command.status().map_err(|error| self.not_started(&error))?;
        self.judge(status, Vec::new())
    }

    /// Runs it with its output on our own terminal, and gives back its exit code, which says more than yes and no.
    pub(crate) fn exit_code(mut self) -> Result<ExitCode, Failure> {
        let status = self.command.status().map_err(|error| self.not_started(&error))?;
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(code) => Ok(code.into()),
            None => Err(Failure::new(format!("`{}` ended with {status}", self.shown))),
        }
    }

    /// Runs it silently and gives back its standard output; on failure its last lines are part of the error.
    pub(crate) fn capture(mut self) -> Result<String, Failure> {
        let output = self.command.output().map_err(|error| self.not_started(&error))?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        let printed: Vec<String> = err.lines().chain(out.lines()).map(str::to_owned).collect();
        let quoted = printed[printed.len().saturating_sub(LINES_QUOTED_MAX)..].to_vec();
        self.judge(output.status, quoted)?;
        Ok(out)
    }

    /// Runs it with its output on our own terminal, and shows each line to `see` as well.
    pub(crate) fn watch(mut self, mut see: impl FnMut(&str)) -> Result<(), Failure> {
        let spawned = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| self.not_started(&error))?;
        for (stream, line) in lines_of(child.stdout.take(), child.stderr.take()) {
            match stream {
                Stream::Out => println!("{line}"),
                Stream::Err => eprintln!("{line}"),
            }
            see(&line);
        }
        let status = child.wait().map_err(|error| format!("`{}` was started and then lost: {error}", self.shown))?;
        self.judge(status, Vec::new())
    }

    fn judge(self, status: ExitStatus, quoted: Vec<String>) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        let place = if quoted.is_empty() { "; what it printed is above" } else { "; it printed last:" };
        let failure = Failure::new(format!("`{}` ended with {status}{place}", self.shown)).with_lines(quoted);
        Err(match self.advice {
            Some(step) => failure.next(step),
            None => failure,
        })
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("`{}` could not be started: {error}", self.shown))
            .next("install it, or see the `tools` step of `cargo xtask test`")
    }
}

/// The lines of both streams as they come, until both are closed.
fn lines_of(
    out: Option<impl Read + Send + 'static>,
    err: Option<impl Read + Send + 'static>,
) -> Receiver<(Stream, String)> {
    let (sender, lines) = sync_channel(LINES_WAITING_MAX);
    if let Some(out) = out {
        forward(out, Stream::Out, sender.clone());
    }
    if let Some(err) = err {
        forward(err, Stream::Err, sender);
    }
    lines
}

fn forward(from: impl Read + Send + 'static, stream: Stream, to: SyncSender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if to.send((stream, line)).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::program;

    #[test]
    fn a_failing_program_is_quoted_with_its_advice() {
        let tool = program("sh", ["-c", "echo first; echo second >&2; exit 3"]).advice("try again");
        let failure = tool.capture().expect_err("the script exits with 3").to_string();
        assert!(failure.contains("ended with exit status: 3; it printed last:\n    second\n    first"), "{failure}");
        assert!(failure.ends_with("next: try again"), "{failure}");
    }

    #[test]
    fn a_watched_program_shows_lines_of_both_streams() {
        let mut seen = Vec::new();
        let tool = program("sh", ["-c", "echo one; echo two >&2"]);
        tool.watch(|line| seen.push(line.to_owned())).expect("the script succeeds");
        seen.sort();
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn a_missing_program_names_itself() {
        let failure = program("no-such-program", ["--version"]).run().expect_err("it does not exist").to_string();
        assert!(failure.starts_with("`no-such-program --version` could not be started"), "{failure}");
    }
}
