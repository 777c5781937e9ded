//! What becomes of everything when an event loop breaks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};
use cofferdam_testkit::abi::{Exported, Level};
use cofferdam_testkit::{ActorCall, Answer, Rig};

use crate::HttpServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// Three loops, and an operation that breaks one of them.
struct Fragile(HttpServer);

static FRAGILE: Exported = cofferdam_provider::__export::<Fragile>();

/// Panics where the loop itself wakes those who wait, which is in no task.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

impl Provider for Fragile {
    const NAME: &'static str = "fragile";

    fn create(host: Host) -> Result<Self, Failure> {
        HttpServer::on_loops(host, NonZeroUsize::new(3).expect("three")).map(Self)
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        self.0.bind(link)
    }

    fn unbind(&self, actor: &str) {
        self.0.unbind(actor);
    }

    /// Breaks a loop.
    fn handle(&self, call: &Call<'_>, _reply: &mut Reply<'_>) -> Result<(), Failure> {
        let event_loop = self.0.loops.spread().get(call.payload()[0].into());
        event_loop.handle().spawn(async {
            let mut alarm = pin!(tokio::time::sleep(Duration::from_millis(1)));
            let waker = Waker::from(Arc::new(Panics));
            assert!(alarm.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "it is not due yet");
            std::future::pending::<()>().await;
        });
        Ok(())
    }

    fn health(&self) -> Result<(), Failure> {
        self.0.health()
    }

    fn shutdown(&self, within: Duration) {
        self.0.shutdown(within);
    }
}

/// Ends when it is given up.
fn hangs(call: &ActorCall) -> Answer {
    while !call.is_given_up() {
        std::thread::yield_now();
    }
    Ok(Vec::new())
}

fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < give_up, "{what} did not happen");
        std::thread::yield_now();
    }
}

fn connect(rig: &Rig) -> TcpStream {
    let stream = TcpStream::connect(rig.listening()[0]).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// With a call in flight on each loop, breaks one. Returns the connection of each.
fn broken(which: u8) -> (Rig, Vec<TcpStream>) {
    let rig = Rig::new(&FRAGILE, hangs).unwrap();
    rig.bind("MACTOR", &[("PORT", "0"), ("TIMEOUT_MS", "600000")]).unwrap();
    let mut streams = Vec::new();
    for calls in 1..=3 {
        let mut stream = connect(&rig);
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
        streams.push(stream);
        eventually("the call", || rig.actor_calls_in_flight() == calls);
    }
    assert_eq!((rig.actor_calls_by_queue(), rig.health()), (vec![1, 1, 1], Ok(())));
    rig.call("MACTOR", "Break", &[which]).unwrap();
    (rig, streams)
}

/// Its connections are closed and its calls given up; those of other loops, and new ones, don't notice. Log and health say so.
#[test]
fn a_loop_that_panics() {
    for which in 0..3 {
        let (rig, mut streams) = broken(which);
        let mut its_own = streams.remove(which.into());
        let end = its_own.read(&mut [0]);
        assert!(
            end.as_ref().map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |read| *read == 0),
            "{end:?}"
        );
        eventually("the end of its call", || rig.actor_calls_in_flight() == 2);
        let mut calls = vec![1; 3];
        calls[usize::from(which)] = 0;
        assert_eq!(rig.actor_calls_by_queue(), calls);

        let ended =
            format!("event loop {which} has ended, and its connections with it; the provider has to be started again");
        assert_eq!(rig.health().unwrap_err().words, ended);
        let words = format!("event loop {which} panicked; its connections are closed");
        eventually("the line", || rig.log().iter().any(|line| line.level == Level::ERROR && line.text == words));

        // The first loop has the listeners. Without it nobody new is served until there is another process.
        if which == 0 {
            eventually("the end of the listener", || TcpStream::connect(rig.listening()[0]).is_err());
        } else {
            for calls in 3..=6 {
                let mut stream = connect(&rig);
                stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
                streams.push(stream);
                eventually("the call", || rig.actor_calls_in_flight() == calls);
            }
            assert_eq!(rig.actor_calls_by_queue()[usize::from(which)], 0);
        }
        // A new listener goes to one that runs.
        rig.bind("MOTHER", &[("PORT", "0")]).unwrap();
        drop(TcpStream::connect(rig.listening()[1]).unwrap());
        assert_eq!(rig.shutdown(Duration::from_millis(30)), Ok(()));
    }
}

#[test]
fn all_loops_that_panic() {
    let (rig, streams) = broken(0);
    for which in [1, 2] {
        rig.call("MACTOR", "Break", &[which]).unwrap();
    }
    for mut stream in streams {
        let _ = stream.read(&mut [0]);
    }
    eventually("the end of all calls", || rig.actor_calls_in_flight() == 0);
    let refused = rig.bind("MOTHER", &[("PORT", "0")]).unwrap_err();
    assert!(refused.words.starts_with("event loop 0 has ended"), "{refused}");
    assert_eq!((rig.unbind("MACTOR"), rig.shutdown(PATIENCE)), (Ok(()), Ok(())));
}
