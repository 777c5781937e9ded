//! More connections than are served: those that keep the host waiting give way, and none does for whom something is done.

use std::time::Instant;

use super::*;

/// Bytes of a request that never ends, one at a time, until the server has enough.
async fn trickle(mut stream: UnixStream) {
    while stream.write_all(b" ").await.is_ok() {
        let mut said = [0; 256];
        // It goes on as soon as its byte has been taken; a server that has enough says so, or closes.
        if timeout(Duration::from_millis(1), stream.read(&mut said)).await.is_ok() {
            return;
        }
    }
}

fn some(max: usize) -> ServerLimits {
    ServerLimits { connections_max: max, ..ServerLimits::default() }
}

#[tokio::test]
async fn who_has_calls_on_their_way_keeps_the_seat_and_others_are_told_so() {
    let limits = ServerLimits { idle_grace: Duration::ZERO, transfer_grace: Duration::ZERO, ..some(2) };
    let bench = Bench::start_with(limits).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = bench.client().await;
        waiting.push(tokio::spawn(async move { client.call(call("wait", b"x", 60_000)).await }));
        bench.host.waiting.notified().await;
    }
    let refused = bench.client().await.ps().await.unwrap_err().report();
    assert_eq!((refused.kind.as_str(), refused.outcome.as_str()), ("busy", "not_delivered"));
    for call in waiting {
        bench.host.release.notify_one();
        assert_eq!(call.await.unwrap().unwrap(), b"x");
    }
    assert_eq!(bench.client().await.ps().await.unwrap().pid, 4711);
}

#[tokio::test]
async fn who_says_nothing_gives_way_and_is_told_so() {
    let bench = Bench::start_with(some(2)).await;
    let (mut first, mut second) = (bench.client().await, bench.client().await);
    first.ps().await.unwrap();
    second.ps().await.unwrap();
    assert_eq!(bench.client().await.ps().await.unwrap().pid, 4711);
    let displaced = first.ps().await.unwrap_err().report();
    assert_eq!((displaced.kind.as_str(), displaced.blame.as_str()), ("displaced", "peer"));
    second.ps().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_that_are_silent_trickle_or_do_not_read_keep_no_operator_out() {
    let limits = ServerLimits::default();
    let bench = Bench::start_with(limits).await;
    // More than the socket holds, so that its answer is not taken without being read.
    let request = Arc::new(crate::control::protocol::Request::Call(call("echo", &[1; 256 << 10], 1000)).to_line());
    let mut silent = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..3 * limits.connections_max {
        silent.push(UnixStream::connect(bench.server.path()).await.unwrap());
        tasks.spawn(trickle(UnixStream::connect(bench.server.path()).await.unwrap()));
        let (path, request) = (bench.server.path().to_owned(), request.clone());
        tasks.spawn(async move {
            let mut deaf = UnixStream::connect(path).await.unwrap();
            // It never reads, and is gone when the test is.
            let _ = deaf.write_all(&request).await;
            std::future::pending::<()>().await;
        });
    }
    let began = Instant::now();
    let mut asked = 0;
    for _ in 0..20 {
        // Others may have been first: then it is told so within the grace, and asks again.
        loop {
            asked += 1;
            assert!(began.elapsed() < SOON, "nobody was served after asking {asked} times");
            if bench.client().await.ps().await.is_ok_and(|report| report.pid == 4711) {
                break;
            }
        }
    }
    eprintln!("20 answers to {asked} questions in {:?}", began.elapsed());
    drop((silent, tasks));
}
