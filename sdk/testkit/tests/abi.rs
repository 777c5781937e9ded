//! The edges of the ABI, from a provider that misbehaves on demand: what the SDK promises to the shim.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use cofferdam_provider::{Access, Call, Failure, Host, Level, Link, Provider, Reply, Request, monotonic_deadline};
use cofferdam_testkit::abi::Status;
use cofferdam_testkit::{ActorCall, Refused, Rig, Settings, no_actors};

/// Does what the operation says.
struct Rogue {
    host: Host,
}

static MEETING: AtomicU32 = AtomicU32::new(0);

impl Provider for Rogue {
    const NAME: &'static str = "rogue 1";
    const CONCURRENCY: u32 = 4;

    fn create(host: Host) -> Result<Self, Failure> {
        Ok(Self { host })
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        match link.get("DO") {
            Some("refuse") => Err(Failure::new("not this one")),
            Some("panic") => panic!("bind panics"),
            _ => Ok(()),
        }
    }

    fn unbind(&self, actor: &str) {
        assert!(actor != "MPANIC", "unbind panics");
    }

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        match call.operation() {
            "Echo" => reply.write(call.payload()),
            "HalfThenFail" => {
                reply.write(b"half of an answer")?;
                Err(Failure::new("changed my mind"))
            }
            "HalfThenPanic" => {
                reply.write(b"half of an answer")?;
                panic!("{} panics", call.actor());
            }
            "PanicWithoutWords" => std::panic::panic_any(7),
            "Flood" => loop {
                reply.write(&[b'x'; 1000])?;
            },
            "Meet" => {
                MEETING.fetch_add(1, Ordering::SeqCst);
                while MEETING.load(Ordering::SeqCst) < Self::CONCURRENCY && !call.time_left().is_zero() {
                    std::thread::yield_now();
                }
                reply.write(&MEETING.load(Ordering::SeqCst).to_le_bytes())
            }
            "Cancelled" => reply.write(if call.is_cancelled() { b"gone" } else { b"here" }),
            "Actor" => reply.write(&self.host.call(&Request {
                actor: call.actor(),
                operation: "Back",
                payload: call.payload(),
                deadline_ns: call.deadline_ns(),
            })?),
            "Files" => {
                self.host.open_dir("state", Access::WRITE)?;
                let other = self.host.open_dir("etc", Access::READ).expect_err("not granted");
                let file = self.host.open_file("passwd", Access::READ).expect_err("not granted");
                reply.write(format!("{other}; {file}").as_bytes())
            }
            "Sockets" => {
                let listener = self.host.listen("127.0.0.1:0")?;
                let address = listener.local_addr()?.to_string();
                self.host.connect(&address, monotonic_deadline(Duration::from_secs(5)))?;
                drop(listener);
                self.host.connect(&address, monotonic_deadline(Duration::from_secs(5))).expect_err("closed");
                Ok(())
            }
            "Log" => {
                self.host.log(Level::WARN, "a line");
                Ok(())
            }
            other => Err(Failure::unknown_operation(other)),
        }
    }

    fn health(&self) -> Result<(), Failure> {
        panic!("health panics")
    }

    fn shutdown(&self, _timeout: Duration) {
        panic!("shutdown panics")
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        panic!("drop panics");
    }
}

cofferdam_provider::export!(Rogue);

fn rig() -> Rig {
    let settings = Settings { payload_bytes_max: 4096, ..Settings::default() };
    Rig::with(&cofferdam_provider_v1, settings, |call: &ActorCall| match call.payload.as_slice() {
        b"fail" => Err(Refused::new(Status::FAILED, "the actor says no")),
        b"hang" => {
            while !call.is_given_up() {
                std::thread::yield_now();
            }
            Ok(Vec::new())
        }
        b"panic" => panic!("a script that panics"),
        payload => Ok([call.actor.as_bytes(), b":", call.operation.as_bytes(), b":", payload].concat()),
    })
    .unwrap()
}

#[test]
fn answers_and_refusals() {
    let failed = |words: &str| Err(Refused::new(Status::FAILED, words));
    let panicked = |words: &str| Err(Refused::new(Status::PANICKED, words));
    let cases = [
        ("Echo", b"hello".to_vec(), Ok(b"hello".to_vec())),
        ("Echo", Vec::new(), Ok(Vec::new())),
        ("Echo", vec![7; 4096], Ok(vec![7; 4096])),
        ("Echo", vec![7; 4097], failed("the answer exceeds the payload limit of the host")),
        ("Flood", Vec::new(), failed("the answer exceeds the payload limit of the host")),
        ("HalfThenFail", Vec::new(), failed("changed my mind")),
        ("HalfThenPanic", Vec::new(), panicked("MA panics")),
        ("PanicWithoutWords", Vec::new(), panicked("a panic without words")),
        ("Nothing", Vec::new(), failed("unknown operation \"Nothing\"")),
        ("Cancelled", Vec::new(), Ok(b"here".to_vec())),
        ("Actor", b"to you".to_vec(), Ok(b"MA:Back:to you".to_vec())),
        ("Actor", b"fail".to_vec(), failed("the actor says no")),
        ("Actor", b"panic".to_vec(), failed("the script panicked")),
        ("Actor", vec![0; 4097], failed("a payload of 4097 bytes is too long")),
        (
            "Files",
            Vec::new(),
            Ok(b"no directory is granted under the name \"etc\"; no file is granted under the name \"passwd\""
                .to_vec()),
        ),
        ("Sockets", Vec::new(), Ok(Vec::new())),
        ("Log", Vec::new(), Ok(Vec::new())),
    ];
    let rig = rig();
    for (operation, payload, expected) in cases {
        assert_eq!(rig.call("MA", operation, &payload), expected, "{operation}");
    }
    let lines: Vec<_> = rig.log().into_iter().map(|line| (line.level, line.text)).collect();
    assert_eq!(lines, [(Level::WARN, "a line".to_owned())]);
}

#[test]
fn panics_of_every_function_stay_inside() {
    let rig = rig();
    let panicked = |words: &str| Err(Refused::new(Status::PANICKED, words));
    assert_eq!(rig.bind("MA", &[("DO", "nothing")]), Ok(()));
    assert_eq!(rig.bind("MA", &[("DO", "refuse")]), Err(Refused::new(Status::FAILED, "not this one")));
    assert_eq!(rig.bind("MA", &[("DO", "panic")]), panicked("bind panics"));
    assert_eq!(rig.unbind("MA"), Ok(()));
    assert_eq!(rig.unbind("MPANIC"), panicked(""));
    assert_eq!(rig.health(), panicked("health panics"));
    assert_eq!(rig.shutdown(Duration::ZERO), panicked(""));
    assert_eq!(rig.name(), "rogue 1");
    // And `destroy`, here.
    drop(rig);
}

#[test]
fn as_many_calls_run_at_once_as_declared() {
    let rig = rig();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| rig.call("MA", "Meet", b""))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == Ok(4_u32.to_le_bytes().to_vec())), "{answers:?}");
}

#[test]
fn a_caller_that_has_gone_is_seen() {
    let rig = rig();
    let answer = rig.call_cancellable(&AtomicU32::new(1), "MA", "Cancelled", b"");
    assert_eq!(answer, Ok(b"gone".to_vec()));
}

#[test]
fn an_actor_that_hangs_is_late() {
    let rig = rig();
    let answer = rig.call_within(Duration::from_millis(20), "MA", "Actor", b"hang");
    assert_eq!(answer, Err(Refused::new(Status::FAILED, "the actor did not answer by the deadline")));
}

#[test]
fn a_provider_that_can_not_be_made_says_why() {
    static WRONG_VERSION: cofferdam_testkit::abi::Exported = {
        let cofferdam_testkit::abi::Exported(mut descriptor) = cofferdam_provider::__export::<Rogue>();
        descriptor.abi_version = 2;
        cofferdam_testkit::abi::Exported(descriptor)
    };
    let refused = Rig::new(&WRONG_VERSION, no_actors).err().unwrap();
    assert_eq!(refused.to_string(), "invalid: the provider's descriptor: another version of the ABI");
}

/// Blocks many callers on one gate, so that they are all inside at once.
#[test]
fn actors_are_called_at_once() {
    let gate = Arc::new(Barrier::new(4));
    let (sender, receiver) = mpsc::channel();
    let script = {
        let gate = Arc::clone(&gate);
        move |_: &ActorCall| {
            gate.wait();
            sender.send(()).unwrap();
            Ok(b"met".to_vec())
        }
    };
    let rig = Rig::new(&cofferdam_provider_v1, script).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(rig.call("MA", "Actor", b""), Ok(b"met".to_vec())));
        }
    });
    assert_eq!(receiver.try_iter().count(), 4);
}
