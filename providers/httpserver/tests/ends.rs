//! No thread of a provider outlives it. Alone in its process, because it looks at all threads there are.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cofferdam_testkit::{Rig, no_actors};

use provider::{LOOPS, PROVIDER};

#[path = "several_loops/provider.rs"]
mod provider;

fn loops() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("http-loop")).collect();
    names.sort();
    names
}

fn await_loops(expected: &[&str]) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while loops() != expected {
        assert!(Instant::now() < give_up, "{:?} instead of {expected:?}", loops());
        std::thread::yield_now();
    }
}

#[test]
fn all_threads_end() {
    for is_drained in [false, true] {
        let rig = Rig::new(&PROVIDER, no_actors).unwrap();
        rig.bind("MACTOR", &[("PORT", "0")]).unwrap();
        // With connections on all of them, each amid a head.
        let streams: Vec<_> = (0..LOOPS)
            .map(|_| {
                let mut stream = TcpStream::connect(rig.listening()[0]).unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
                stream
            })
            .collect();
        // A thread gives itself its name, and whoever has joined one may still find it listed for an instant.
        await_loops(&["http-loop-0\n", "http-loop-1\n", "http-loop-2\n"]);
        if is_drained {
            rig.shutdown(Duration::from_millis(50)).unwrap();
        }
        drop(rig);
        await_loops(&[]);
        drop(streams);
    }
}
