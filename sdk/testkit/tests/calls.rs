//! `cofferdam_provider::tokio::Calls` on a current-thread runtime, through the C ABI and a real descriptor.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::time::Duration;

use cofferdam_provider::tokio::Calls;
use cofferdam_provider::{Call, CallError, Failure, Host, Link, Provider, Reply, Request};
use cofferdam_testkit::abi::Status;
use cofferdam_testkit::{ActorCall, Refused, Rig};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Every call runs a fresh runtime, so that its end is tested too.
struct Caller {
    host: Host,
}

impl Provider for Caller {
    const NAME: &'static str = "caller 1";

    fn create(host: Host) -> Result<Self, Failure> {
        Ok(Self { host })
    }
    fn bind(&self, _link: &Link<'_>) -> Result<(), Failure> {
        Ok(())
    }
    fn unbind(&self, _actor: &str) {}

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let deadline_ns = call.deadline_ns();
        let words = runtime.block_on(async {
            let calls = Calls::new(self.host).expect("a queue");
            match call.operation() {
                "One" => one(&calls, call.payload(), deadline_ns).await,
                "Many" => many(&calls, deadline_ns).await,
                "Dropped" => dropped(&calls, deadline_ns).await,
                "Abandoned" => {
                    // The runtime ends with the call in flight.
                    let calls = calls.clone();
                    tokio::spawn(async move { one(&calls, b"hang", deadline_ns).await });
                    tokio::task::yield_now().await;
                    "left".to_owned()
                }
                other => panic!("{other}"),
            }
        });
        drop(runtime);
        reply.write(words.as_bytes())
    }
}

cofferdam_provider::export!(Caller);

async fn one(calls: &Calls, payload: &[u8], deadline_ns: u64) -> String {
    let request = Request { actor: "MA", operation: "Op", payload, deadline_ns };
    match calls.call(&request).await {
        Ok(answer) => String::from_utf8(answer).expect("text"),
        Err(CallError::Late(_)) => "late".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// A thousand calls that all end, in whatever order, each with its own answer.
async fn many(calls: &Calls, deadline_ns: u64) -> String {
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let calls = calls.clone();
        tasks.spawn(async move {
            let sent = number.to_string();
            (one(&calls, sent.as_bytes(), deadline_ns).await, sent)
        });
    }
    let ended = tasks.join_all().await;
    let right = ended.iter().filter(|(answer, sent)| answer == sent).count();
    format!("{right} right, {} in flight", calls.in_flight())
}

/// A call whose future is dropped is given up at once, and the queue works on.
async fn dropped(calls: &Calls, deadline_ns: u64) -> String {
    let hanging = timeout(Duration::from_millis(5), one(calls, b"hang", deadline_ns)).await;
    let after = one(calls, b"after", deadline_ns).await;
    format!("{}, {after}, {} in flight", if hanging.is_err() { "dropped" } else { "answered" }, calls.in_flight())
}

fn script(call: &ActorCall) -> Result<Vec<u8>, Refused> {
    match call.payload.as_slice() {
        b"hang" => {
            while !call.is_given_up() {
                std::thread::yield_now();
            }
            Ok(b"nobody reads this".to_vec())
        }
        b"deny" => Err(Refused::new(Status::DENIED, "not linked")),
        payload => Ok(payload.to_vec()),
    }
}

#[test]
fn calls_as_futures() {
    let cases: [(&str, &[u8], Duration, &str); 7] = [
        ("One", b"hello", Duration::from_secs(10), "hello"),
        ("One", b"", Duration::from_secs(10), ""),
        ("One", b"deny", Duration::from_secs(10), "Denied(\"not linked\")"),
        ("One", b"hang", Duration::from_millis(20), "late"),
        ("Many", b"", Duration::from_secs(10), "200 right, 0 in flight"),
        ("Dropped", b"", Duration::from_secs(10), "dropped, after, 0 in flight"),
        ("Abandoned", b"", Duration::from_secs(10), "left"),
    ];
    let rig = Rig::new(&cofferdam_provider_v1, script).unwrap();
    for (operation, payload, within, expected) in cases {
        let answer = rig.call_within(within, "MB", operation, payload).unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), expected, "{operation}");
        assert_eq!(rig.actor_calls_in_flight(), 0, "{operation}");
    }
}
