//! Strangers at the host's doors who send as much as is taken from them, and end nothing: what that costs in memory and
//! time, and that others are served meanwhile.

use std::io::ErrorKind;
use std::time::Duration;

use cofferdam_host::control::Client;
use cofferdam_tests::process::{alone, memory_bytes_peak, until};
use cofferdam_tests::{Rig, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// More of them than either door has places.
const STRANGERS: usize = 1200;

/// What each of them offers.
const OFFERED_BYTES: usize = 1 << 20;

/// What all of them may cost in memory, of more than a gigabyte that they offer.
const TAKEN_BYTES_MAX: u64 = 320 << 20;

/// Whoever can't send a byte for so long is stuck.
const STALLED: Duration = Duration::from_secs(1);

const HTTP: &str = "wasmcloud:httpserver";

/// Sends all it has, and then waits for the end, without ever ending what it began. Returns how many bytes were taken.
async fn offer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, head: &[u8]) -> usize {
    let piece = [b'x'; 16 << 10];
    let mut taken = 0;
    let mut answer = [0; 4096];
    if stream.write_all(head).await.is_err() {
        return 0;
    }
    while taken < OFFERED_BYTES {
        match stream.write(&piece).await {
            Ok(bytes) => taken += bytes,
            Err(_) => return taken,
        }
    }
    // It may be told why.
    while stream.read(&mut answer).await.is_ok_and(|bytes| bytes > 0) {}
    taken
}

#[test]
fn bodies_that_never_end_take_bounded_memory_and_time() {
    alone("peers::bodies_that_never_end_take_bounded_memory_and_time", || async {
        let rig = Rig::start().await;
        let actor = rig.actor("echo", &[HTTP]).await;
        let provider = rig.provider("httpserver", HTTP).await;
        let port = http::free_port();
        let values = [("PORT", &*port.to_string()), ("BODY_TIMEOUT_MS", "2000")];
        rig.link(&actor, HTTP, &provider, &values).await.expect("the provider accepts");
        let pid = rig.ready_pid(&provider, 1).await;
        let before = memory_bytes_peak(pid);

        let mut strangers = JoinSet::new();
        for _ in 0..STRANGERS {
            strangers.spawn(async move {
                let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
                offer(stream, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 16000000\r\n\r\n").await
            });
        }
        let served = http::get_async(format!("http://127.0.0.1:{port}/")).await;
        assert_eq!(served.expect("a good client is served in time").0, 200);
        let taken: usize = strangers.join_all().await.into_iter().sum();
        let grown = memory_bytes_peak(pid) - before;
        assert!(grown < TAKEN_BYTES_MAX, "{} MiB for {} MiB that were taken", grown >> 20, taken >> 20);
        assert!(taken > 100 << 20, "they did send: {} MiB", taken >> 20);
        rig.ready_pid(&provider, 1).await;
        rig.host.stop().await;
    });
}

/// Each asks for ever more and reads nothing. The kernel's buffers fill, in both directions, and the server asks the actor for no more.
#[test]
fn answers_that_nobody_reads_take_bounded_memory() {
    const READERS: usize = 50;
    /// Of answers of 256 KiB, each.
    const ASKED_BYTES: usize = 4 << 20;
    const GROWN_BYTES_MAX: u64 = 96 << 20;
    alone("peers::answers_that_nobody_reads_take_bounded_memory", || async {
        let rig = Rig::start().await;
        let actor = rig.actor("responder", &[HTTP]).await;
        let provider = rig.provider("httpserver", HTTP).await;
        let port = http::free_port();
        rig.link(&actor, HTTP, &provider, &[("PORT", &*port.to_string())]).await.expect("the provider accepts");
        let pid = rig.ready_pid(&provider, 1).await;
        let before = memory_bytes_peak(pid);

        let request = b"GET /bytes/262144 HTTP/1.1\r\nhost: h\r\n\r\n";
        let hundred = request.repeat(100);
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            let hundred = hundred.clone();
            readers.spawn(async move {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
                let mut asked = 0;
                // It stays, so that the server holds all that it would.
                while asked < ASKED_BYTES {
                    match timeout(STALLED, stream.write(&hundred[asked % hundred.len()..])).await {
                        Ok(written) => asked += written.expect("it is connected"),
                        Err(_stalled) => return (stream, asked),
                    }
                }
                (stream, asked)
            });
        }
        let stuck = readers.join_all().await;
        let asked: usize = stuck.iter().map(|(_, asked)| asked / request.len()).sum();
        let served = http::get_async(format!("http://127.0.0.1:{port}/status/200")).await;
        assert_eq!(served.expect("a good client is served in time").0, 200);
        let grown = memory_bytes_peak(pid) - before;
        assert!(grown < GROWN_BYTES_MAX, "{} MiB for {} GiB that were asked for", grown >> 20, asked >> 12);
        assert!(asked > READERS * 1000, "they did ask: {asked} times");
        rig.ready_pid(&provider, 1).await;
        rig.host.stop().await;
    });
}

#[test]
fn lines_that_never_end_take_bounded_memory_and_time() {
    alone("peers::lines_that_never_end_take_bounded_memory_and_time", || async {
        let rig = Rig::start().await;
        let path = rig.folder.path().join("host.sock");
        let before = memory_bytes_peak(std::process::id());
        let mut strangers = JoinSet::new();
        for _ in 0..STRANGERS {
            let path = path.clone();
            strangers.spawn(async move {
                let stream = loop {
                    match UnixStream::connect(&path).await {
                        // So many at once that even the kernel lets nobody wait.
                        Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::task::yield_now().await,
                        connected => break connected.expect("it listens"),
                    }
                };
                offer(stream, b"{").await
            });
        }
        until("an operator is served", async || match Client::connect(&path).await {
            Ok(mut client) => client.ps().await.is_ok(),
            Err(_) => false,
        })
        .await;
        let taken: usize = strangers.join_all().await.into_iter().sum();
        let grown = memory_bytes_peak(std::process::id()) - before;
        assert!(grown < TAKEN_BYTES_MAX, "{} MiB for {} MiB that were taken", grown >> 20, taken >> 20);
        assert!(taken > 10 << 20, "they did send: {} MiB", taken >> 20);
        rig.host.stop().await;
    });
}
