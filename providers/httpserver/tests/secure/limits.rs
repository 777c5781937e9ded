//! The limits of HTTP/2, on both sides of each, and clients that would get around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::frames::{DATA, END_STREAM, GO_AWAY, HEADERS, Peer, RST_STREAM, WINDOW_UPDATE, frame, get, headers};
use crate::support::{actor, eventually, respond, server, server_of};

/// As RFC 9113, section 7, numbers them.
const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;
/// As RFC 9113, section 6.5.2, numbers them.
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

fn with(path: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    get(path).into_iter().chain(more).collect()
}

#[test]
fn what_is_allowed_is_said() {
    let (_rig, address) = server(&[("H2C", "true")]);
    let said = Peer::new(address, &[]).settings;
    let of = |name| said.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
    assert_eq!(of(MAX_CONCURRENT_STREAMS), Some(100));
    assert_eq!(of(MAX_HEADER_LIST_SIZE), Some(64 * 1024));
    assert_eq!(of(INITIAL_WINDOW_SIZE), Some(256 * 1024));
    assert_eq!(of(ENABLE_CONNECT_PROTOCOL).unwrap_or(0), 0);
}

#[test]
fn limits_on_both_sides() {
    let (_rig, address) = server(&[("H2C", "true"), ("BODY_BYTES_MAX", "1000")]);
    let many = |count: usize| -> Vec<(String, String)> {
        let more = (0..count).map(|number| (format!("x{number}"), "y".to_owned()));
        get("/status/200").into_iter().chain(more).collect()
    };
    // Each field counts with 32 bytes more than it has (RFC 9113, section 6.5.2).
    let size =
        |fields: &[(String, String)]| fields.iter().map(|(name, value)| name.len() + value.len() + 32).sum::<usize>();
    let long = |bytes: usize| {
        let rest = size(&with("/status/200", &[("long", "")]));
        with("/status/200", &[("long", &*"x".repeat(bytes - rest))])
    };
    let websocket = [(":protocol", "websocket")];
    let connect = |more: &[(&str, &str)]| {
        let mut fields = with("/chat", more);
        fields[0].1 = "CONNECT".to_owned();
        // The pseudo-headers come first.
        fields.sort_by_key(|(name, _)| !name.starts_with(':'));
        fields
    };
    let mut plain_connect = connect(&[]);
    plain_connect.retain(|(name, _)| matches!(&**name, ":method" | ":authority"));
    let upgrade = with("/status/200", &[("upgrade", "websocket"), ("connection", "upgrade")]);
    let cases = [
        ("100 headers", many(100), Ok("200")),
        ("101 headers", many(101), Ok("431")),
        ("a head of 64 KiB but a byte", long(64 * 1024 - 1), Ok("200")),
        ("a head of 64 KiB", long(64 * 1024), Ok("431")),
        ("CONNECT", plain_connect, Ok("405")),
        // It is not offered, and who asks all the same breaks RFC 8441, section 3. The connection goes on.
        ("extended CONNECT", connect(&websocket), Err(PROTOCOL_ERROR)),
        ("an upgrade, which HTTP/2 does not have", upgrade, Err(PROTOCOL_ERROR)),
    ];
    let mut peer = Peer::new(address, &[]);
    let mut stream = 1;
    for (what, fields, expected) in cases {
        peer.write(&headers(stream, END_STREAM, &fields));
        assert_eq!(peer.outcome(stream), expected.map(str::to_owned), "{what}");
        stream += 2;
    }
    for (bytes, expected) in [(1000, "200"), (1001, "413")] {
        peer.write(&headers(stream, 0, &with("/size", &[])));
        peer.write(&frame(DATA, END_STREAM, stream, &vec![b'x'; bytes]));
        assert_eq!(peer.outcome(stream), Ok(expected.to_owned()), "{bytes} bytes");
        stream += 2;
    }
}

#[test]
fn requests_beyond_the_limit_are_refused() {
    let (rig, address) = server(&[("H2C", "true"), ("TIMEOUT_MS", "600000")]);
    let mut peer = Peer::new(address, &[]);
    (0..100).for_each(|number| peer.get(number * 2 + 1, "/hang"));
    eventually("all calls", || rig.actor_calls_in_flight() == 100);
    peer.get(201, "/hang");
    assert_eq!(peer.outcome(201), Err(REFUSED_STREAM));
    // One that goes takes its call with it, and makes room.
    peer.write(&frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes()));
    eventually("the end of a call", || rig.actor_calls_in_flight() == 99);
    peer.get(203, "/status/200");
    assert_eq!(peer.outcome(203), Ok("200".into()));
    drop(peer);
    eventually("the end of all calls", || rig.actor_calls_in_flight() == 0);
}

/// CVE-2023-44487: whoever opens streams only to take them back is told to go before it costs much.
#[test]
fn rapid_resets_end_the_connection() {
    let (rig, address) = server(&[("H2C", "true"), ("TIMEOUT_MS", "600000")]);
    let both = |stream: u32| {
        [headers(stream, END_STREAM, &get("/hang")), frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
    };
    // One after the other it is a client's right.
    let mut peer = Peer::new(address, &[]);
    for number in 0..50 {
        let stream = number * 2 + 1;
        peer.get(stream, "/hang");
        eventually("the call", || rig.actor_calls_in_flight() == 1);
        peer.write(&frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
        eventually("its end", || rig.actor_calls_in_flight() == 0);
    }
    peer.get(101, "/status/200");
    assert_eq!(peer.outcome(101), Ok("200".into()));

    let mut peer = Peer::new(address, &[]);
    let all: Vec<u8> = (0..1000).flat_map(|number| both(number * 2 + 1)).collect();
    peer.write(&all);
    assert_eq!(peer.next_of(GO_AWAY).map(|frame| frame.error()), Some(ENHANCE_YOUR_CALM));
    while peer.next().is_some() {}
    eventually("the end of all calls", || rig.actor_calls_in_flight() == 0);
}

/// Who takes no answers is not served more than it may have under way, and is cut off, though it goes on to ask.
#[test]
fn back_pressure_holds_and_ends() {
    for goes_on in [false, true] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let values =
            [("H2C", "true"), ("WRITE_TIMEOUT_MS", "3000"), ("TIMEOUT_MS", "600000"), ("CONNECTIONS_MAX", "1")];
        let (rig, address) = server_of(&values, move |call| {
            counted.fetch_add(1, Ordering::SeqCst);
            actor(call)
        });
        // No room for a single byte of any answer.
        let mut peer = Peer::new(address, &[(INITIAL_WINDOW_SIZE, 0)]);
        let asked: u32 = if goes_on { 99 } else { 100 };
        (0..asked).for_each(|number| peer.get(number * 2 + 1, "/large"));
        if goes_on {
            peer.get(199, "/hang");
            eventually("the call that hangs", || rig.actor_calls_in_flight() == 1);
        }
        // More are refused: none of those before has ended.
        peer.get(201, "/large");
        let (mut answers, mut refused) = (0, false);
        while let Some(frame) = peer.next() {
            assert!(frame.kind != DATA, "it was sent what it has no room for");
            answers += u32::from(frame.kind == HEADERS);
            refused |= frame.kind == RST_STREAM && frame.stream == 201 && frame.error() == REFUSED_STREAM;
        }
        // It was cut off.
        assert_eq!((answers, refused), (asked, true));
        assert_eq!(calls.load(Ordering::SeqCst), 100);
        eventually("the end of all calls", || rig.actor_calls_in_flight() == 0);
        // Its place is the next one's.
        Peer::new(address, &[]);
    }
}

/// Who takes them slowly gets all of them: what counts is that it gets on.
#[test]
fn a_slow_reader_gets_its_answer() {
    let values = [("H2C", "true"), ("WRITE_TIMEOUT_MS", "2000"), ("HEADER_TIMEOUT_MS", "2000")];
    let (_rig, address) = server_of(&values, |_| respond(200, &[], &[b'x'; 100_000]));
    let mut peer = Peer::new(address, &[(INITIAL_WINDOW_SIZE, 1000)]);
    peer.get(1, "/");
    let mut read_bytes = 0;
    while read_bytes < 100_000 {
        let data = peer.next_of(DATA).expect("it goes on");
        assert!(data.payload.len() <= 1000);
        read_bytes += data.payload.len();
        let more = u32::try_from(data.payload.len()).unwrap().to_be_bytes();
        peer.write(&[frame(WINDOW_UPDATE, 0, 1, &more), frame(WINDOW_UPDATE, 0, 0, &more)].concat());
    }
}

/// Connections that ask for nothing end, as those of HTTP/1.1 do.
#[test]
fn idle_connections_end() {
    let (rig, address) = server(&[("H2C", "true"), ("HEADER_TIMEOUT_MS", "250"), ("TIMEOUT_MS", "600000")]);
    let mut asked = Peer::new(address, &[]);
    asked.get(1, "/status/200");
    assert_eq!(asked.outcome(1), Ok("200".into()));
    for mut peer in [asked, Peer::new(address, &[])] {
        assert_eq!(peer.next_of(GO_AWAY).map(|frame| frame.error()), Some(0));
        while peer.next().is_some() {}
    }
    // Half a head, for ever, is no request.
    let mut dribbles = Peer::new(address, &[]);
    dribbles.write(&frame(HEADERS, END_STREAM, 1, &[0]));
    while dribbles.next().is_some() {}
    assert_eq!(rig.actor_calls_in_flight(), 0);
    // A request under way is none of it, however long it takes.
    let mut busy = Peer::new(address, &[]);
    busy.get(1, "/hang");
    eventually("the call", || rig.actor_calls_in_flight() == 1);
    let mut idle = Peer::new(address, &[]);
    while idle.next().is_some() {}
    busy.get(3, "/status/200");
    assert_eq!(busy.outcome(3), Ok("200".into()));
}
