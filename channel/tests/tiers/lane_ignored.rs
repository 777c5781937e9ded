//! Whether a callee takes calls at all, as whoever supervises it sees that: what it never took is no call that it runs.

use std::sync::Arc;
use std::thread;

use cofferdam_channel::lane::{self, LaneClient};
use cofferdam_channel::{Client, Deadline};

use super::rig::{LONG, PAYLOAD_BYTES_MAX, config, make, outgoing, regions, script, until};

#[test]
fn who_takes_no_call_is_seen_to_and_who_runs_one_is_not() {
    let [host, shim] = regions();
    let client = Arc::new(LaneClient::new(host, 3, PAYLOAD_BYTES_MAX, Box::new(|broken| panic!("{broken}"))));
    let begin = |operation: &'static str, timeout| {
        let client = client.clone();
        thread::spawn(move || make(&*client, &outgoing(operation, b"", timeout)))
    };
    let is_ignored = || client.is_ignored(Deadline::now());
    assert!(!is_ignored(), "nobody calls it");
    let waiting = begin("Echo", LONG);
    until("a call waits", is_ignored);
    assert_eq!((is_ignored(), client.overdue(Deadline::now())), (true, (0, 3)), "it still does, and is not due");

    // It runs one at once.
    let (script, began, release) = script();
    let server = lane::serve(shim, script, config(1), Box::new(|broken| panic!("{broken}"))).unwrap();
    assert_eq!(waiting.join().unwrap(), Ok(Vec::new()));
    assert!(!is_ignored(), "nothing waits any more");
    let holding = begin("Hold", LONG);
    began.recv_timeout(LONG).unwrap();
    let waiting = begin("Echo", LONG);
    until("a call waits beside those that count as overdue", || client.is_ignored(Deadline::NEVER));
    assert!(!is_ignored(), "what is not overdue runs");
    release.send(()).unwrap();
    assert_eq!(waiting.join().unwrap(), Ok(Vec::new()));
    holding.join().unwrap().unwrap();
    assert!(!is_ignored(), "all were answered");
    server.shut_down();
}
