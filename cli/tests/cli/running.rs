//! Commands that ask a running host. The host here is the real socket with made-up operations behind it.

use std::path::Path;
use std::sync::Arc;

use cofferdam_host::control::{
    ActorReport, AuthorityReport, CallRequest, ErrorReport, ExplainReport, ExplainRequest, GroupReport, LimitsReport,
    LinkReport, Operations, ProviderAct, ProviderReport, ProviderRequest, PsReport, RunningReport, Server,
};
use cofferdam_host::words::{Blame, CallError, Denial, Outcome};
use tokio::runtime::Runtime;

use crate::session::Session;

/// Answers as the operation's name tells it.
struct Puppet;

impl Operations for Puppet {
    async fn ps(&self) -> PsReport {
        let link = LinkReport {
            actor: "MECHO".into(),
            contract: "wasmcloud:keyvalue".into(),
            link: "default".into(),
            provider: "VKV".into(),
            state: "bound".into(),
        };
        PsReport {
            pid: 4711,
            host_id: "NHOST".into(),
            namespace: "default".into(),
            uptime_s: 3723,
            sandbox: "none".into(),
            state_dir: "/var/lib/cofferdam/default".into(),
            audit: "ok".into(),
            actors: vec![
                ActorReport {
                    id: "MECHO".into(),
                    name: "Echo \u{1b}[2J".into(),
                    call_alias: Some("echo".into()),
                    metered: true,
                    ..Default::default()
                },
                ActorReport {
                    id: "MFAST".into(),
                    name: "Fast".into(),
                    calls_in_flight: 3,
                    runaways: 2,
                    ..Default::default()
                },
            ],
            providers: vec![
                ProviderReport {
                    id: "VKV".into(),
                    state: "ready".into(),
                    pid: Some(7),
                    generation: 1,
                    ..Default::default()
                },
                ProviderReport {
                    id: "VHTTP".into(),
                    contract: "wasmcloud:httpserver".into(),
                    link: "default".into(),
                    name: "HTTP".into(),
                    state: "held".into(),
                    why: Some("it died 5 times within 60s, the last time: killed by signal 11 (SIGSEGV)".into()),
                    next_try_ms: Some(41_200),
                    restarts: 5,
                    last_exit: Some("signal 11 (SIGSEGV)".into()),
                    ..Default::default()
                },
            ],
            links: vec![link],
        }
    }

    async fn call(&self, request: CallRequest) -> Result<Vec<u8>, CallError> {
        let (actor, operation, waited) = (request.actor.clone(), request.operation.clone(), request.timeout());
        match request.operation.as_str() {
            "denied" => Err(Denial::Claims.into()),
            "late" => {
                let target = format!("actor {actor}");
                Err(CallError::DeadlineExceeded { target, operation, waited, outcome: Outcome::Unknown })
            }
            "unknown" => Err(CallError::NoSuchActor { actor }),
            "bug" => Err(CallError::Internal { message: "a bug".into() }),
            _ => Ok(request.payload),
        }
    }

    async fn explain(&self, request: ExplainRequest) -> Result<ExplainReport, ErrorReport> {
        let line = |kind: &str, what: &str, why: &str| AuthorityReport {
            kind: kind.into(),
            what: what.into(),
            why: why.into(),
        };
        Ok(ExplainReport {
            id: "VHTTP".into(),
            name: request.provider,
            contract: "wasmcloud:httpserver".into(),
            image: "./httpserver.par.gz".into(),
            needs: Some(vec![line("listen", "${BIND:127.0.0.1}:${PORT:8080}", "")]),
            grants: None,
            effective: vec![line("listen", "${BIND:127.0.0.1}:${PORT:8080}", "by the values of each bound link")],
            running: Some(RunningReport {
                link: "default".into(),
                why: None,
                state: "ready".into(),
                pid: Some(7),
                uid: Some(1_879_048_192),
                listening: vec!["127.0.0.1:8080".into()],
                sandbox: "required".into(),
                unconfined: vec!["landlock scopes".into()],
                limits: LimitsReport {
                    memory_bytes: 1 << 30,
                    threads: 512,
                    files: 1024,
                    file_bytes: (16 << 30) + 1,
                    cpu_s: Some(3600),
                    calls: 128,
                },
                control_group: Some(GroupReport { memory_bytes: 1232 << 20, tasks: 516, cpus_milli: Some(1500) }),
            }),
        })
    }

    async fn attend(&self, request: ProviderRequest) -> Result<ProviderReport, ErrorReport> {
        let (state, why, pid) = match request.act {
            ProviderAct::Restart | ProviderAct::Release => ("ready", None, Some(8)),
            ProviderAct::Hold => ("held", Some("an operator holds it".to_owned()), None),
            ProviderAct::Stop => ("stopped", None, None),
        };
        match request.provider.as_str() {
            "keyvalue" => Ok(ProviderReport {
                id: "VKV".into(),
                link: request.link.unwrap_or_else(|| "default".into()),
                name: "keyvalue".into(),
                state: state.into(),
                why,
                pid,
                generation: 2,
                ..Default::default()
            }),
            "late" => Err(failed("deadline_exceeded", "restart of provider late was not done within 30s")),
            name => Err(failed("no_such_provider", &format!("no provider {name} runs here"))),
        }
    }

    async fn stop(&self) {}
}

fn failed(kind: &str, message: &str) -> ErrorReport {
    ErrorReport {
        blame: Blame::Operator,
        kind: kind.into(),
        outcome: Outcome::NotDelivered,
        message: message.into(),
        next: "see `cofferdam ps`".into(),
    }
}

/// Serves the puppet while `talk` runs commands.
fn with_host(talk: impl FnOnce(&mut Session)) -> String {
    let mut session = Session::new();
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(&session.path("host.sock"), Arc::new(Puppet))).unwrap();
    talk(&mut session);
    runtime.block_on(server.stop());
    assert!(!Path::new(&session.path("host.sock")).exists());
    session.transcript().to_owned()
}

#[test]
fn ps_shows_what_runs() {
    let transcript = with_host(|session| {
        session.run(&["ps", "--socket", "host.sock"]);
        session.run(&["ps", "--socket", "host.sock", "-o", "json"]);
    });
    insta::assert_snapshot!(transcript);
}

#[test]
fn providers_are_attended_to() {
    let transcript = with_host(|session| {
        let cases: [(&[&str], i32); 8] = [
            (&["restart", "keyvalue"], 0),
            (&["restart", "keyvalue", "-o", "json"], 0),
            (&["stop", "keyvalue", "--link", "backup"], 0),
            (&["hold", "keyvalue"], 0),
            (&["release", "keyvalue", "--timeout", "5s"], 0),
            (&["release", "nobody"], 1),
            (&["restart", "late", "-o", "json"], 5),
            (&["hold"], 2),
        ];
        for (args, code) in cases {
            let output = session.run(&[&["provider"], args, &["--socket", "host.sock"]].concat());
            assert_eq!(output.status.code(), Some(code), "{args:?}");
        }
    });
    insta::assert_snapshot!(transcript);
}

#[test]
fn explain_shows_what_a_provider_may_have() {
    let transcript = with_host(|session| {
        session.run(&["explain", "HTTP", "--socket", "host.sock"]);
        session.run(&["explain", "HTTP", "--socket", "host.sock", "-o", "json"]);
    });
    insta::assert_snapshot!(transcript);
}

#[test]
fn calls_go_out_as_messagepack_and_come_back_as_json() {
    let transcript = with_host(|session| {
        session.file("argument.json", br#"{"method": "GET", "body": {"$bytes": "AP8="}}"#);
        session.file("empty.json", b"\n");
        let mut call = |args: &[&str], stdin: &[u8]| {
            session.run_with(&[&["call", "MECHO"], args, &["--socket", "host.sock"]].concat(), stdin)
        };
        for argument in ["null", "[1, -2, 0.1]", "@argument.json"] {
            call(&["echo", argument], b"");
            call(&["echo", argument, "-o", "json"], b"");
        }
        call(&["echo", "-"], b"{\"from\": \"stdin\"}");
        call(&["echo"], b"");
        assert_eq!(call(&["echo", "-", "--raw"], b"as it is").stdout, b"as it is");
        call(&["echo", "raw text", "--raw"], b"");
        for argument in ["{", "@missing.json", "@.", "{\"$bytes\": 1}", "", "-", "@empty.json"] {
            assert_eq!(call(&["echo", argument], b"").status.code(), Some(2), "{argument}");
        }
        assert_eq!(call(&["echo", "-"], b"no JSON").status.code(), Some(2));
        for (operation, code) in [("denied", 3), ("late", 5), ("unknown", 1), ("bug", 70)] {
            assert_eq!(call(&[operation], b"").status.code(), Some(code), "{operation}");
            assert_eq!(call(&[operation, "-o", "json"], b"").status.code(), Some(code), "{operation}");
        }
    });
    insta::assert_snapshot!(transcript);
}

#[test]
fn who_is_called_is_told() {
    let transcript = with_host(|session| {
        let cases = [
            ("echo", "denied", 3),
            ("echo", "late", 5),
            ("nobody", "unknown", 1),
            ("VB33BSG4GTDWDY37JIFX3SVZH3MLRTQ7NDW3BY3RPYM4YM5UYEL66NJY", "echo", 2),
            ("AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCT", "echo", 2),
            ("MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY3", "echo", 2),
            ("MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY2", "echo", 0),
        ];
        for (actor, operation, code) in cases {
            let output = session.run(&["call", actor, operation, "--socket", "host.sock"]);
            assert_eq!(output.status.code(), Some(code), "{actor}");
        }
    });
    insta::assert_snapshot!(transcript);
}

/// A result that nobody got is a failure; a reader that has gone away is none.
#[test]
fn output_that_cannot_be_written_is_told() {
    let commands: [&[&str]; 9] = [
        &["ps", "--socket", "host.sock"],
        &["ps", "--socket", "host.sock", "-o", "json"],
        &["call", "MECHO", "echo", "7", "--socket", "host.sock"],
        &["call", "MECHO", "echo", "7", "--raw", "--socket", "host.sock"],
        &["keys", "gen", "actor"],
        &["inspect", "plain.wasm"],
        &["inspect", "issuer.nk", "-o", "json"],
        &["--help"],
        &["--version"],
    ];
    let transcript = with_host(|session| {
        for args in commands {
            let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
            assert_eq!(session.run_into(args, full).status.code(), Some(1), "{args:?}");
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let output = session.run_into(args, writer);
            assert_eq!(output.status.code(), Some(0), "{args:?}");
        }
    });
    insta::assert_snapshot!(transcript);
}

#[test]
fn without_a_host_there_is_an_exit_code_for_it() {
    let mut session = Session::new();
    for args in [&["ps"][..], &["ps", "-o", "json"], &["call", "MECHO", "echo"], &["provider", "stop", "keyvalue"]] {
        let output = session.run(&[args, &["--socket", "none.sock"]].concat());
        assert_eq!(output.status.code(), Some(4), "{args:?}");
    }
    insta::assert_snapshot!(session.transcript());
}
