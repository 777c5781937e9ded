//! A folder with files in it, and a transcript of what the program printed there.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// Keys of this test and of nothing else; fixed, so that what is signed with them is always the same.
const SEEDS: [(&str, &str); 4] = [
    ("issuer.nk", "SAAI4AG2IXBUG3JCGPJE2MK7IYPN3Q5KL7YALGTGJCJCB3DOEEIONKMA6I"),
    ("actor.nk", "SMAABVEHLYO56BJ3A4QP2VHJC32H2KEAN5DPP6NKBPCLWS4NMHAYHWWQ2I"),
    ("provider.nk", "SVAID7OK53CFAZ2XMW2EEM7Y6ZLJAVR5X3MFKYEGY7VPEJFQJKGG7MB75I"),
    ("broken.nk", "SAAI4AG2IXBUG3JCGPJE2MK7IYPN3Q5KL7YALGTGJCJCB3DOEEIONKMA6X"),
];

/// The public key of `issuer.nk`.
pub(crate) const ISSUER: &str = "AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCT";

/// A folder to run commands in.
pub(crate) struct Session {
    folder: TempDir,
    transcript: String,
    variables: Vec<(&'static str, &'static str)>,
}

impl Session {
    pub(crate) fn new() -> Self {
        let session = Self { folder: tempfile::tempdir().unwrap(), transcript: String::new(), variables: Vec::new() };
        for (name, seed) in SEEDS {
            session.file(name, format!("{seed}\n").as_bytes());
        }
        session.file("plain.wasm", b"\0asm\x01\0\0\0");
        session
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a variable for the programs to come.
    pub(crate) fn set(&mut self, name: &'static str, value: &'static str) {
        self.variables.push((name, value));
    }

    /// The program, ready to run here, with nothing of this machine's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cofferdam"));
        command.args(args).current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.envs(self.variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program and keeps what it printed.
    pub(crate) fn run(&mut self, args: &[&str]) -> Output {
        self.run_with(args, b"")
    }

    /// The same with another standard output.
    pub(crate) fn run_into(&mut self, args: &[&str], stdout: impl Into<Stdio>) -> Output {
        let child = self.command(args).stdout(stdout).spawn().expect("it was built");
        self.keep(args, child)
    }

    /// The same with something on standard input.
    pub(crate) fn run_with(&mut self, args: &[&str], stdin: &[u8]) -> Output {
        let mut child = self.command(args).spawn().expect("it was built");
        // A program that reads no input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        self.keep(args, child)
    }

    fn keep(&mut self, args: &[&str], child: Child) -> Output {
        let output = child.wait_with_output().unwrap();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (shown(&output.stdout), shown(&output.stderr));
        let mut typed = args.join(" ");
        for (name, seed) in SEEDS {
            assert!(!stdout.contains(seed) && !stderr.contains(seed), "a seed was printed: {stdout}{stderr}");
            typed = typed.replace(seed, &format!("(seed of {name})"));
        }
        writeln!(self.transcript, "$ cofferdam {typed}").unwrap();
        self.transcript.push_str(&stdout);
        for line in stderr.lines() {
            writeln!(self.transcript, "! {line}").unwrap();
        }
        writeln!(self.transcript, "[{}]\n", output.status.code().unwrap()).unwrap();
        output
    }

    /// Everything so far. Nothing in it may name this machine.
    pub(crate) fn transcript(&self) -> &str {
        assert!(!self.transcript.contains(&*self.folder.path().to_string_lossy()), "{}", self.transcript);
        assert!(!self.transcript.contains('\u{1b}'), "colours without a terminal:\n{}", self.transcript);
        &self.transcript
    }
}
