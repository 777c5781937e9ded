//! The socket between a test host and clients, good and bad.

use std::fs;
use std::future::Future;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::words::{CallError, Denial};

const SOON: Duration = Duration::from_secs(10);

mod place;
mod seats;

/// A host that echoes. `hang` never answers, `wait` answers after `release`, `denied` fails.
#[derive(Default)]
struct Echo {
    stops: AtomicU32,
    waiting: Notify,
    release: Notify,
    given_up: Notify,
}

/// Tells of a call that is dropped before its answer.
struct GivenUp<'a>(Option<&'a Notify>);

impl GivenUp<'_> {
    fn not(mut self) {
        self.0 = None;
    }
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if let Some(given_up) = self.0 {
            given_up.notify_one();
        }
    }
}

impl Operations for Echo {
    async fn ps(&self) -> PsReport {
        PsReport { pid: 4711, host_id: "NHOST".into(), sandbox: "none".into(), ..PsReport::default() }
    }

    async fn call(&self, request: CallRequest) -> Result<Vec<u8>, CallError> {
        match request.operation.as_str() {
            "hang" => std::future::pending().await,
            "denied" => Err(Denial::Claims.into()),
            "large" => Ok(vec![7; 4096]),
            "wait" => {
                let given_up = GivenUp(Some(&self.given_up));
                self.waiting.notify_one();
                self.release.notified().await;
                given_up.not();
                Ok(request.payload)
            }
            _ => Ok(request.payload),
        }
    }

    async fn explain(&self, request: ExplainRequest) -> Result<ExplainReport, ErrorReport> {
        Ok(ExplainReport { name: request.provider, ..ExplainReport::default() })
    }

    async fn attend(&self, request: ProviderRequest) -> Result<ProviderReport, ErrorReport> {
        let state = request.act.word().to_owned();
        Ok(ProviderReport { id: request.provider, link: request.link.unwrap_or_default(), state, ..Default::default() })
    }

    fn stop(&self) -> impl Future<Output = ()> + Send {
        self.stops.fetch_add(1, Ordering::Relaxed);
        std::future::ready(())
    }
}

struct Bench {
    folder: TempDir,
    host: Arc<Echo>,
    server: Server,
}

impl Bench {
    async fn start() -> Self {
        Self::start_with(ServerLimits::default()).await
    }

    async fn start_with(limits: ServerLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Arc::new(Echo::default());
        let server = Server::start_with(&folder.path().join("run/x.sock"), host.clone(), limits).await.unwrap();
        Self { folder, host, server }
    }

    async fn client(&self) -> Client {
        Client::connect(self.server.path()).await.unwrap()
    }

    /// Everything the server says to these bytes until it closes, which it must within `SOON`.
    async fn say(&self, bytes: &[u8]) -> Vec<Value> {
        let mut stream = UnixStream::connect(self.server.path()).await.unwrap();
        // A server that has enough closes while we still write.
        let _ = stream.write_all(bytes).await;
        lines(stream).await
    }
}

async fn lines(mut stream: UnixStream) -> Vec<Value> {
    let mut text = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut text)).await.expect("the server closes the connection");
    // Closing with unread bytes resets the connection; what was answered before is there.
    if let Err(error) = read {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect()
}

fn call(operation: &str, payload: &[u8], timeout_ms: u64) -> CallRequest {
    CallRequest { actor: "MECHO".into(), operation: operation.into(), payload: payload.to_vec(), timeout_ms }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn one_client_asks_several_things() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    assert_eq!(client.ps().await.unwrap().pid, 4711);
    assert_eq!(client.server_pid(), Some(std::process::id()));
    for payload in [&b""[..], b"\x00\xff\n", &[9; 300_000]] {
        assert_eq!(client.call(call("echo", payload, 1000)).await.unwrap(), payload);
    }
    let denied = client.call(call("denied", b"", 1000)).await.unwrap_err().report();
    assert_eq!((denied.kind.as_str(), denied.outcome.as_str()), ("denied", "not_delivered"));
    assert_eq!(client.ps().await.unwrap().host_id, "NHOST");
}

#[tokio::test]
async fn the_largest_payload_fits() {
    let bench = Bench::start().await;
    let payload = vec![0xa5; 16 << 20];
    assert!(bench.client().await.call(call("echo", &payload, 60_000)).await.unwrap() == payload);
}

#[tokio::test]
async fn socket_and_folder_are_the_owners_alone_and_go_with_the_server() {
    let bench = Bench::start().await;
    let path = bench.server.path().to_owned();
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    bench.server.stop().await;
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "neither socket nor lock is left");
    let gone = Client::connect(&path).await.err().unwrap().report();
    assert_eq!(gone.kind, "no_host");
}

#[tokio::test]
async fn requests_that_make_no_sense_are_answered() {
    let bench = Bench::start_with(ServerLimits { idle: Duration::from_millis(200), ..ServerLimits::default() }).await;
    let deep = format!("{{\"v\":1,\"op\":\"ps\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let call = |rest: &str| format!("{{\"v\":1,\"op\":\"call\",\"actor\":\"M\",\"operation\":\"o\"{rest}}}");
    let (zero, long) = (call(",\"payload\":\"\",\"timeout_ms\":0"), call(",\"payload\":\"\",\"timeout_ms\":3600001"));
    let (bare, not64) = (call(""), call(",\"payload\":\"?\",\"timeout_ms\":1"));
    let named = |name: &str, bytes: usize| {
        let other = if name == "actor" { "operation" } else { "actor" };
        let long = "x".repeat(bytes);
        format!("{{\"v\":1,\"op\":\"call\",\"{name}\":\"{long}\",\"{other}\":\"o\",\"payload\":\"\",\"timeout_ms\":1}}")
    };
    let (actor, operation) = (named("actor", 1025), named("operation", 1025));
    for fits in [named("actor", 1024), named("operation", 1024)] {
        super::protocol::Request::from_line(fits.as_bytes()).unwrap();
    }
    let whom = "v".repeat(1025);
    let whom = format!("{{\"v\":1,\"op\":\"provider\",\"act\":\"stop\",\"provider\":\"{whom}\",\"timeout_ms\":1}}");
    let strange = "\u{7f}\u{202e}".repeat(5000);
    let (key, op) =
        (format!("{{\"v\":1,\"op\":\"call\",\"{strange}\":1}}"), format!("{{\"v\":1,\"op\":\"{strange}\"}}"));
    let cases: [(&[u8], &str); 22] = [
        (key.as_bytes(), "malformed_request"),
        (op.as_bytes(), "unknown_operation"),
        (whom.as_bytes(), "malformed_request"),
        (b"{\"v\":1,\"op\":\"provider\"}", "malformed_request"),
        (b"{\"v\":1,\"op\":\"provider\",\"act\":\"eat\",\"provider\":\"V\",\"timeout_ms\":1}", "malformed_request"),
        (b"{\"v\":1,\"op\":\"provider\",\"act\":\"hold\",\"provider\":\"V\",\"timeout_ms\":0}", "malformed_request"),
        (
            b"{\"v\":1,\"op\":\"provider\",\"act\":\"hold\",\"provider\":\"V\",\"timeout_ms\":1,\"x\":1}",
            "malformed_request",
        ),
        (actor.as_bytes(), "malformed_request"),
        (operation.as_bytes(), "malformed_request"),
        (b"", "malformed_request"),
        (b"hello", "malformed_request"),
        (b"\x00\xff\xfe\x80", "malformed_request"),
        (b"{}", "malformed_request"),
        (b"[1,\"ps\"", "malformed_request"),
        (b"{\"v\":1,\"op\":\"ps\"} trailing", "malformed_request"),
        (deep.as_bytes(), "malformed_request"),
        (b"{\"v\":2,\"op\":\"ps\"}", "unsupported_version"),
        (b"{\"v\":1,\"op\":\"dance\"}", "unknown_operation"),
        (bare.as_bytes(), "malformed_request"),
        (not64.as_bytes(), "malformed_request"),
        (zero.as_bytes(), "malformed_request"),
        (long.as_bytes(), "malformed_request"),
    ];
    for (request, kind) in cases {
        // The connection survives each of them: its lines are intact.
        let said = bench.say(&[request, b"\n{\"v\":1,\"op\":\"ps\"}\n"].concat()).await;
        assert_eq!(said[0]["error"]["kind"], kind, "{}", String::from_utf8_lossy(request));
        assert_eq!(said[0]["error"]["blame"], "peer");
        let message = said[0]["error"]["message"].as_str().unwrap();
        assert!(message.len() < 1000 && !message.chars().any(cofferdam_claims::deceives), "{message:?}");
        assert_eq!(said[1]["ps"]["pid"], 4711);
        assert_eq!(said[2]["error"]["kind"], "idle");
    }
}

#[tokio::test]
async fn a_line_ends_at_its_limit() {
    let limits = ServerLimits { line_bytes_max: 64, idle: Duration::from_millis(200), ..ServerLimits::default() };
    let bench = Bench::start_with(limits).await;
    let request = b"{\"v\":1,\"op\":\"ps\"}";
    for (length, fits) in [(64, true), (65, false), (1 << 20, false)] {
        let mut line = request.to_vec();
        line.resize(length, b' ');
        line.push(b'\n');
        let said = bench.say(&line).await;
        match fits {
            true => assert_eq!(said[0]["ps"]["pid"], 4711),
            false => assert_eq!(said[0]["error"]["kind"], "line_too_long", "{length}"),
        }
    }
    let endless = bench.say(&vec![b'x'; 1 << 20]).await;
    assert_eq!(endless[0]["error"]["kind"], "line_too_long");
}

#[tokio::test]
async fn an_answer_that_fits_no_line_is_an_error() {
    let bench = Bench::start_with(ServerLimits { line_bytes_max: 4096, ..ServerLimits::default() }).await;
    let refused = bench.client().await.call(call("large", b"", 1000)).await.unwrap_err().report();
    assert_eq!(refused.kind, "payload_too_large");
}

#[tokio::test]
async fn a_slow_client_is_told_and_dropped_and_hurts_nobody() {
    let bench =
        Bench::start_with(ServerLimits { transfer: Duration::from_millis(100), ..ServerLimits::default() }).await;
    let mut slow = UnixStream::connect(bench.server.path()).await.unwrap();
    slow.write_all(b"{\"v\":1,").await.unwrap();
    assert_eq!(bench.client().await.ps().await.unwrap().pid, 4711);
    assert_eq!(lines(slow).await[0]["error"]["kind"], "too_slow");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let limits = ServerLimits { transfer: Duration::from_millis(300), connections_max: 1, ..ServerLimits::default() };
    let bench = Bench::start_with(limits).await;
    let mut deaf = UnixStream::connect(bench.server.path()).await.unwrap();
    let request = super::protocol::Request::Call(call("echo", &[1; 4 << 20], 1000)).to_line();
    deaf.write_all(&request).await.unwrap();
    // Its place is the only one: another client is served once it is gone.
    let served = async {
        loop {
            if let Ok(report) = bench.client().await.ps().await {
                return report.pid;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(timeout(SOON, served).await.unwrap(), 4711);
}

#[tokio::test]
async fn calls_never_keep_ps_and_stop_out() {
    let bench = Bench::start_with(ServerLimits { calls_max: 1, ..ServerLimits::default() }).await;
    let mut waiting = bench.client().await;
    let waiting = tokio::spawn(async move { waiting.call(call("wait", b"first", 5000)).await });
    bench.host.waiting.notified().await;
    let mut second = bench.client().await;
    let refused = second.call(call("echo", b"", 1000)).await.unwrap_err().report();
    assert_eq!((refused.kind.as_str(), refused.outcome.as_str()), ("busy", "not_delivered"));
    assert_eq!(second.ps().await.unwrap().pid, 4711);
    bench.host.release.notify_one();
    assert_eq!(waiting.await.unwrap().unwrap(), b"first");
    assert_eq!(second.call(call("echo", b"x", 1000)).await.unwrap(), b"x", "the call has given its place back");
}

#[tokio::test]
async fn a_client_that_goes_gives_up_its_call() {
    let bench = Bench::start_with(ServerLimits { calls_max: 1, ..ServerLimits::default() }).await;
    let request = super::protocol::Request::Call(call("wait", b"", 3_600_000)).to_line();
    for rest in [&b""[..], b"{\"v\":1,\"op\":\"ps\"}\n"] {
        let mut gone = UnixStream::connect(bench.server.path()).await.unwrap();
        gone.write_all(&[&request[..], rest].concat()).await.unwrap();
        timeout(SOON, bench.host.waiting.notified()).await.expect("the call has begun");
        drop(gone);
        timeout(SOON, bench.host.given_up.notified()).await.expect("the call was dropped");
    }
    assert_eq!(bench.client().await.call(call("echo", b"x", 1000)).await.unwrap(), b"x");
}

/// What comes while a call is answered is answered after it.
#[tokio::test]
async fn requests_may_be_sent_ahead() {
    let bench = Bench::start_with(ServerLimits { idle: Duration::from_millis(200), ..ServerLimits::default() }).await;
    let request = super::protocol::Request::Call(call("wait", b"", 5000)).to_line();
    let saying = async { bench.say(&[&request[..], b"{\"v\":1,\"op\":\"ps\"}\n"].concat()).await };
    let releasing = async {
        bench.host.waiting.notified().await;
        bench.host.release.notify_one();
    };
    let (said, ()) = tokio::join!(saying, releasing);
    assert_eq!((&said[0]["answer"], &said[1]["ps"]["pid"]), (&Value::from(""), &Value::from(4711)));
}

#[tokio::test]
async fn a_call_that_hangs_ends_by_its_deadline() {
    let bench = Bench::start_with(ServerLimits { answer: Duration::from_millis(50), ..ServerLimits::default() }).await;
    let late = bench.client().await.call(call("hang", b"", 50)).await.unwrap_err().report();
    assert_eq!((late.kind.as_str(), late.outcome.as_str()), ("deadline_exceeded", "unknown"));
}

#[tokio::test]
async fn stop_is_answered_at_once_and_ends_with_the_server() {
    let Bench { folder: _folder, host, server } = Bench::start().await;
    let path = server.path().to_owned();
    let client = Client::connect(&path).await.unwrap();
    let stopping = tokio::spawn(client.stop(SOON));
    while host.stops.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!stopping.is_finished(), "the host has not ended yet");
    server.stop().await;
    stopping.await.unwrap().unwrap();
    assert!(!path.exists(), "the path is free when the client is told");
}

#[tokio::test]
async fn a_stopping_server_lets_calls_finish_and_takes_no_new_ones() {
    let Bench { folder: _folder, host, server } = Bench::start().await;
    let path = server.path().to_owned();
    let mut client = Client::connect(&path).await.unwrap();
    let calling = tokio::spawn(async move { client.call(call("wait", b"last", 5000)).await });
    host.waiting.notified().await;
    let stopping = tokio::spawn(server.stop());
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(Client::connect(&path).await.err().unwrap().report().kind, "no_host");
    host.release.notify_one();
    assert_eq!(calling.await.unwrap().unwrap(), b"last");
    stopping.await.unwrap();
}

#[test]
fn the_owner_and_root_may_ask_and_are_believed() {
    // A user, another one who listens or connects, and which of the two may go on.
    let cases = [
        (Some(0), 0, true, true),
        (Some(0), 1000, true, true),
        (Some(1000), 1000, true, true),
        (Some(1000), 1001, false, false),
        (Some(1000), 0, false, true),
        (None, 1000, false, false),
    ];
    for (peer, own, may_ask, is_believed) in cases {
        assert_eq!(super::server::is_permitted(peer, own), may_ask, "{peer:?} asks {own}");
        assert_eq!(super::client::is_believed(peer, own), is_believed, "{own} asks {peer:?}");
    }
}

#[test]
fn the_lines_are_these() {
    use super::protocol::{Reply, Request};
    let text = |line: Vec<u8>| String::from_utf8(line).unwrap();
    let link = LinkReport { actor: "M".into(), contract: "c".into(), link: "default".into(), ..Default::default() };
    let provider = ProviderReport { id: "V".into(), state: "ready".into(), generation: 1, ..Default::default() };
    let actor = ActorReport { id: "M".into(), metered: true, ..Default::default() };
    let report =
        PsReport { pid: 1, actors: vec![actor], providers: vec![provider], links: vec![link], ..Default::default() };
    let error = ErrorReport::from(&CallError::from(Denial::NotLinked));
    let (name, link) = ("keyvalue".to_owned(), Some("backup".to_owned()));
    let restart = ProviderRequest { act: ProviderAct::Restart, provider: name.clone(), link: None, timeout_ms: 1 };
    let hold = ProviderRequest { act: ProviderAct::Hold, provider: name, link, timeout_ms: 30_000 };
    let held = ProviderReport {
        id: "V".into(),
        state: "held".into(),
        why: Some("it died".into()),
        next_try_ms: Some(9),
        ..Default::default()
    };
    let requests = [
        Request::Ps,
        Request::Stop,
        Request::Call(call("Get", b"\x81\xa1k\xa1v", 2000)),
        Request::Provider(restart),
        Request::Provider(hold),
    ];
    let replies = [
        Reply::Ps(report),
        Reply::Provider(held),
        Reply::Answer(b"\xc0".to_vec()),
        Reply::Stopping {},
        Reply::Error(error),
    ];
    let mut golden = String::new();
    for request in requests {
        assert_eq!(Request::from_line(&request.to_line()), Ok(request.clone()));
        golden.push_str(&text(request.to_line()));
    }
    for reply in replies {
        assert_eq!(Reply::from_line(&reply.to_line()), Ok(reply.clone()));
        golden.push_str(&text(reply.to_line()));
    }
    insta::assert_snapshot!(golden);
}

proptest::proptest! {
    #[test]
    fn no_line_breaks_the_parsers(line in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = super::protocol::Request::from_line(&line);
        let _ = super::protocol::Reply::from_line(&line);
    }
}
