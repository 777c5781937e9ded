//! A host by the command: from its manifest to its end. Providers are the system tests' business; here is none, so the
//! shim is any file.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::session::{ISSUER, Session};

const SOON: Duration = Duration::from_secs(60);
const RUN: &[&str] = &["run", "--socket", "host.sock", "--state-dir", "state", "--shim", "plain.wasm"];
const REQUEST: &str =
    r#"{"method":"GET","path":"/demo","queryString":"test=kthxbye","header":{},"body":{"$bytes":""}}"#;

const OTHER_ACTOR: &str = "MAC3WH4Z46SWOKK6CQJE2YDCSNVH5SP6ZLVYOZDXTNEFBBHI3Q5SIP2V";

/// A host in the background, which does not outlive the test.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    ready: String,
}

impl Running {
    /// Starts it and waits for its one line.
    fn start(session: &Session, args: &[&str]) -> Self {
        let mut child = session.command(&[RUN, args].concat()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        Self { child, stdout, ready }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Its exit code, whatever else it said on stdout, and its log.
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut rest, mut log) = (String::new(), String::new());
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), rest, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and that is all that can go wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn session() -> Session {
    let mut session = Session::new();
    let guest = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/guests/built/echo.wasm");
    session.file("unsigned.wasm", &std::fs::read(guest).unwrap());
    let sign = ["claims", "sign", "unsigned.wasm", "--issuer", "issuer.nk", "--module", "actor.nk", "--name", "Echo"];
    let more = ["--cap", "wasmcloud:httpserver", "--alias", "echo", "--rev", "1", "--out", "echo.wasm"];
    assert!(session.run(&[&sign[..], &more].concat()).status.success());
    session.file("manifest.yaml", format!("host: {{trust: [{ISSUER}]}}\nactors: [echo.wasm]\n").as_bytes());
    session
}

#[test]
fn a_host_runs_an_actor_until_it_is_told_to_end() {
    let mut session = session();
    let host = Running::start(&session, &["-m", "manifest.yaml"]);
    assert_eq!(host.ready, "ready: namespace default, 1 actor, 0 providers, 0 links; socket host.sock\n");
    let answer = session.run(&["call", "echo", "HandleRequest", REQUEST, "--socket", "host.sock", "-o", "json"]);
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["statusCode"], 200);
    let ps = session.run(&["ps", "--socket", "host.sock", "-o", "json"]);
    let ps: Value = serde_json::from_slice(&ps.stdout).unwrap();
    assert_eq!((&ps["pid"], &ps["actors"][0]["name"]), (&host.child.id().into(), &"Echo".into()));
    host.signal(Signal::SIGTERM);
    let (code, rest, log) = host.end();
    assert_eq!((code, rest.as_str()), (Some(0), ""), "{log}");
    assert!(log.contains("draining"), "{log}");
    assert!(!session.path("host.sock").exists());
    assert_eq!(session.run(&["ps", "--socket", "host.sock"]).status.code(), Some(4));
}

#[test]
fn actors_of_issuers_that_the_operator_names_run_unmetered() {
    let mut session = session();
    let named = format!("host: {{unmetered_issuers: [{ISSUER}]}}\nactors: [echo.wasm]\n");
    session.file("unmetered.yaml", named.as_bytes());
    const OTHER_ACCOUNT: &str = "ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW";
    for (args, metered) in [
        (&["-m", "manifest.yaml"][..], true),
        (&["-m", "manifest.yaml", "--unmetered-issuer", ISSUER], false),
        (&["-m", "unmetered.yaml"], false),
        (&["-m", "unmetered.yaml", "--unmetered-issuer", OTHER_ACCOUNT], true),
    ] {
        let host = Running::start(&session, args);
        let ps = session.run(&["ps", "--socket", "host.sock", "-o", "json"]);
        let ps: Value = serde_json::from_slice(&ps.stdout).unwrap();
        assert_eq!(
            (&ps["actors"][0]["metered"], &ps["actors"][0]["runaways"]),
            (&metered.into(), &0.into()),
            "{args:?}"
        );
        let answer = session.run(&["call", "echo", "HandleRequest", REQUEST, "--socket", "host.sock", "-o", "json"]);
        let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(answer["statusCode"], 200, "{args:?}");
        host.signal(Signal::SIGTERM);
        let (code, _, log) = host.end();
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(log.contains("actors of these issuers run unmetered"), args != ["-m", "manifest.yaml"], "{log}");
    }
}

#[test]
fn an_empty_host_says_so_in_json_and_ends_by_ctrl_c() {
    let session = Session::new();
    let host = Running::start(&session, &["-o", "json", "--namespace", "lab", "--log", "off"]);
    let ready: Value = serde_json::from_str(&host.ready).unwrap();
    assert_eq!((&ready["ready"], &ready["namespace"]), (&true.into(), &"lab".into()));
    assert_eq!(ready["pid"], host.child.id());
    assert!(ready["host_id"].as_str().unwrap().starts_with('N'));
    host.signal(Signal::SIGINT);
    assert_eq!(host.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn the_log_can_be_json() {
    let session = Session::new();
    let host = Running::start(&session, &["--log-format", "json"]);
    host.signal(Signal::SIGTERM);
    let (code, _, log) = host.end();
    assert_eq!(code, Some(0));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["level"] == "WARN"), "nobody is trusted by name, and the host says so: {log}");
}

#[test]
fn a_host_ends_by_the_operators_stop() {
    let session = Session::new();
    let host = Running::start(&session, &[]);
    let socket = session.path("host.sock");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = cofferdam_host::control::Client::connect(&socket).await.unwrap();
        client.stop(SOON).await.unwrap();
    });
    assert!(!socket.exists());
    assert_eq!(host.end().0, Some(0));
}

#[test]
fn a_second_host_is_told_of_the_first() {
    let mut session = Session::new();
    let host = Running::start(&session, &[]);
    let args = ["run", "--socket", "host.sock", "--state-dir", "other", "--shim", "plain.wasm", "-o", "json"];
    let second = session.run(&args);
    let error: Value = serde_json::from_str(String::from_utf8(second.stderr).unwrap().lines().last().unwrap()).unwrap();
    assert_eq!((second.status.code(), &error["error"]["kind"]), (Some(1), &"host_running".into()));
    let pid = format!("(pid {})", host.child.id());
    assert!(error["error"]["message"].as_str().unwrap().contains(&pid), "{error}");
    host.signal(Signal::SIGTERM);
    assert_eq!(host.end().0, Some(0));
}

/// Links may come before their sides, so this is a warning: but one that names the link.
#[test]
fn a_link_to_what_does_not_run_is_told() {
    let mut session = session();
    let inspected = session.run(&["inspect", "actor.nk", "-o", "json"]);
    let actor: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let actor = actor["public_key"].as_str().unwrap();
    let provider = "VB33BSG4GTDWDY37JIFX3SVZH3MLRTQ7NDW3BY3RPYM4YM5UYEL66NJY";
    let link = |actor: &str| {
        format!(
            "  - {{actor: {actor}, provider_id: {provider}, contract_id: 'wasmcloud:httpserver', values: {{A: hunter2}}}}\n"
        )
    };
    let text = format!("actors: [echo.wasm]\nlinks:\n{}{}", link(actor), link(OTHER_ACTOR));
    session.file("manifest.yaml", text.as_bytes());
    let host = Running::start(&session, &["-m", "manifest.yaml", "--log-format", "json"]);
    host.signal(Signal::SIGTERM);
    let (code, _, log) = host.end();
    assert_eq!(code, Some(0), "{log}");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let warned: Vec<(String, bool)> = lines
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["message"].as_str().unwrap().starts_with("the manifest links what does not run"))
        .map(|fields| {
            assert_eq!((&fields["provider"], &fields["link"]), (&provider.into(), &"default".into()), "{fields}");
            (
                fields["actor"].as_str().unwrap().to_owned(),
                fields["message"].as_str().unwrap().contains("no such actor"),
            )
        })
        .collect();
    assert_eq!(warned, [(OTHER_ACTOR.to_owned(), true), (actor.to_owned(), false)], "{log}");
    assert!(!log.contains("hunter2"), "a link's value was logged");
}

#[test]
fn what_cannot_be_run_says_why_and_leaves_nothing() {
    let mut session = session();
    let stranger = "ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW";
    session.file("unsigned.yaml", b"actors: [unsigned.wasm]\n");
    session.file("missing.yaml", b"actors: [./missing.wasm]\n");
    session.file("wrong.yaml", b"actors: 7\n");
    let cases: [(&[&str], i32, &str); 5] = [
        (&["-m", "manifest.yaml", "--trust", stranger], 3, "claims_issuer"),
        (&["-m", "unsigned.yaml"], 3, "claims_signed"),
        (&["-m", "missing.yaml"], 2, ""),
        (&["-m", "wrong.yaml"], 2, ""),
        (&["--shim", "no-such-shim"], 1, "no_shim"),
    ];
    for (args, code, kind) in cases {
        let shim = if args.contains(&"--shim") { &RUN[..5] } else { RUN };
        let output = session.run(&[shim, args, &["-o", "json"]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        let error: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}: nothing is ready");
        assert!(kind.is_empty() || error["error"]["kind"] == kind, "{args:?}: {error}");
        assert!(!session.path("host.sock").exists());
    }
}

/// A log that nobody can write costs its lines; a ready line that nobody can write is a failure of the start.
#[test]
fn a_full_disk_costs_the_log_and_not_the_host() {
    let mut session = Session::new();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut child = session.command(RUN).stderr(full()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert!(ready.starts_with("ready: "), "{ready:?}");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let output = session.run_into(RUN, full());
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("error: the result cannot be written to standard output"), "{log}");
    assert!(!session.path("host.sock").exists());
}

#[test]
fn a_second_signal_ends_the_host_at_once() {
    let session = Session::new();
    let mut host = Running::start(&session, &[]);
    // Whether it had drained before the second signal came is a matter of chance; that it ends, and soon, is not.
    let until = Instant::now() + SOON;
    while host.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not end");
        host.signal(Signal::SIGTERM);
        thread::yield_now();
    }
    let (code, _, log) = host.end();
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {log}");
}
