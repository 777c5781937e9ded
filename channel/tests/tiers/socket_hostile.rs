//! A peer on a socket that keeps to no rule.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cofferdam_channel::socket::pair;
use cofferdam_channel::{CallFailure, Client};

use super::rig::{LONG, PAYLOAD_BYTES_MAX, outgoing, socket_client};

/// A peer that speaks bytes: what it sends, and what ends the connection.
fn check_hostile(bytes: &[u8], expected: &str) {
    let (ours, mut theirs) = pair().unwrap();
    let (client, broken) = socket_client(ours, 1);
    let client = Arc::new(client);
    let caller = {
        let client = client.clone();
        thread::spawn(move || client.call(&outgoing("Echo", b"", LONG), &mut Vec::new()))
    };
    theirs.read_exact(&mut [0; 4]).unwrap();
    theirs.write_all(bytes).unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(broken.recv_timeout(LONG).unwrap(), expected);
    client.close("stopped by the host");
    let cause = Arc::from("stopped by the host");
    assert_eq!(caller.join().unwrap(), Err(CallFailure::Closed { delivered: true, cause }));
}

#[test]
fn a_peer_that_breaks_the_grammar_is_told_apart_from_one_that_died() {
    const TOO_LONG: u32 = PAYLOAD_BYTES_MAX + 1025;
    let reply = |call: u64| [&12_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &call.to_le_bytes()].concat();
    check_hostile(b"", "the peer closed the connection");
    check_hostile(b"\x05\0", "the peer closed the connection");
    check_hostile(&[0; 4], "the peer sent an empty frame");
    check_hostile(&TOO_LONG.to_le_bytes(), "the peer announced a frame of 1049601 bytes, the limit is 1049600");
    check_hostile(&reply(7), "the peer answered call 7, which is not in flight");
    check_hostile(
        &[&12_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), &1_u64.to_le_bytes()].concat(),
        "the peer sent a cancel, which only this side may send",
    );
}

#[test]
fn a_peer_that_stops_reading_costs_its_callers_their_deadline() {
    let (ours, _theirs) = pair().unwrap();
    let (client, _broken) = socket_client(ours, 64);
    let payload = vec![0; PAYLOAD_BYTES_MAX as usize];
    let call = |timeout| client.call(&outgoing("Echo", &payload, timeout), &mut Vec::new());
    assert_eq!(call(Duration::from_millis(50)), Err(CallFailure::Late { delivered: true }));
    assert_eq!(call(Duration::from_millis(50)), Err(CallFailure::Late { delivered: false }));
}
