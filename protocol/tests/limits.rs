//! Every limit, on each side of it.

use cofferdam_protocol::call::{Header, Request, frame_bytes_max};
use cofferdam_protocol::control::{
    Backtrace, Confine, Dir, Frame, HostMessage, LoadFault, Network, Refusal, ResourceLimits, Sandbox, Setting,
    ShimMessage, Want,
};
use cofferdam_protocol::limits::*;
use cofferdam_protocol::{DecodeError, HELLO_BYTES, HostHello, frame};

/// What became of a value: accepted, or the words of the error.
fn verdict<T>(result: Result<T, DecodeError>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

#[test]
fn frame_lengths() {
    for limit in [1, 5, CONTROL_FRAME_BYTES_MAX, frame_bytes_max(PAYLOAD_BYTES_MAX), u32::MAX - 1] {
        let table = [
            (0, Err(DecodeError::EmptyFrame)),
            (1, Ok(1)),
            (limit, Ok(limit as usize)),
            (limit + 1, Err(DecodeError::FrameTooLong { bytes: u64::from(limit) + 1, limit: limit.into() })),
            (u32::MAX, Err(DecodeError::FrameTooLong { bytes: u32::MAX.into(), limit: limit.into() })),
        ];
        for (bytes, expected) in table {
            assert_eq!(frame::body_bytes(bytes.to_le_bytes(), limit), expected, "{bytes} of {limit}");
            let ours = frame::length(bytes as usize, limit);
            assert_eq!(ours.is_ok(), expected.is_ok(), "{bytes} of {limit}");
            assert!(ours.is_ok_and(|ours| ours == bytes.to_le_bytes()) || expected.is_err());
        }
        let beyond = frame::length(u32::MAX as usize + 1, limit);
        assert!(matches!(beyond, Err(DecodeError::Unsendable { .. })), "{beyond:?}");
    }
}

#[test]
fn a_call_frame_has_room_for_the_longest_header_and_words_under_any_hello() {
    let table = [(1, 9216), (8192, 9216), (8193, 9217), (PAYLOAD_BYTES_MAX, (1 << 30) + 1024), (u32::MAX, u32::MAX)];
    for (payload_bytes_max, expected) in table {
        assert_eq!(frame_bytes_max(payload_bytes_max), expected);
    }
}

#[test]
fn host_hello_fields() {
    let good = HostHello { payload_bytes_max: 1, calls_max: 1, actor_calls_max: 1 };
    for (at, what, max) in
        [(0, "payload_bytes_max", PAYLOAD_BYTES_MAX), (4, "calls_max", CALLS_MAX), (8, "actor_calls_max", CALLS_MAX)]
    {
        for (value, allowed) in [(0, false), (1, true), (max, true), (max + 1, false), (u32::MAX, false)] {
            let mut bytes: [u8; HELLO_BYTES] = good.to_bytes();
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
            let refused = DecodeError::OutOfRange { what, value: value.into(), min: 1, max: max.into() };
            let read = HostHello::from_bytes(&bytes);
            assert_eq!(read.map(|read| read.to_bytes()), if allowed { Ok(bytes) } else { Err(refused) });
        }
    }
}

#[test]
fn request_headers() {
    let table = [
        (0, 0, Ok(())),
        (128, 512, Ok(())),
        (0, 513, Err("operation bytes = 513, allowed is 0 to 512")),
        (129, 0, Err("actor bytes = 129, allowed is 0 to 128")),
    ];
    for (actor, operation, expected) in table {
        let (actor, operation) = ("a".repeat(actor), "o".repeat(operation));
        let header = Header::Request(Request { call: 1, deadline_ns: 2, actor: &actor, operation: &operation });
        let mut buffer = [0; CALL_HEADER_BYTES_MAX];
        let refused = expected
            .map_err(|why| format!("a call header of ours was not sent, because the peer would refuse it: {why}"));
        assert_eq!(verdict(header.write(&mut buffer)), refused);
        let refused = expected.map_err(|why| format!("the peer stated {why}"));
        assert_eq!(verdict(Header::read(&request_bytes(&actor, &operation))), refused);
    }
}

/// A request header as a peer that checks nothing would write it.
fn request_bytes(actor: &str, operation: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4 + 8 + 8];
    bytes[4] = 1;
    for text in [actor, operation] {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

#[test]
fn a_header_longer_than_its_limit_is_not_read_whatever_it_holds() {
    let fits = CALL_HEADER_BYTES_MAX - request_bytes("", "").len();
    for (text, expected) in [
        (fits, "the peer stated actor bytes = 988, allowed is 0 to 128"),
        (fits + 1, "the peer sent a call header that states more than 1024 bytes of content"),
        (1 << 20, "the peer sent a call header that states more than 1024 bytes of content"),
    ] {
        let read = verdict(Header::read(&request_bytes(&"a".repeat(text), "")));
        assert_eq!(read, Err(expected.to_owned()));
    }
}

#[test]
fn call_zero_names_no_call() {
    use cofferdam_protocol::call::Fault::Late;
    let request = |call| Header::Request(Request { call, deadline_ns: 0, actor: "", operation: "" });
    for (call, allowed) in [(0, false), (1, true), (u64::MAX, true)] {
        let (reply, failure, cancel) =
            (Header::Reply { call }, Header::Failure { call, fault: Late }, Header::Cancel { call });
        for header in [request(call), reply, failure, cancel] {
            let mut buffer = [0; CALL_HEADER_BYTES_MAX];
            let used = request(1).write(&mut buffer).expect("call 1 can be written");
            if let Ok(used) = header.write(&mut buffer) {
                assert!(allowed, "{header:?}");
                assert_eq!(Header::read(&buffer[..used]), Ok((header, used)));
                continue;
            }
            assert!(!allowed, "{header:?}");
            buffer[4..12].fill(0);
            let refused = DecodeError::OutOfRange { what: "call", value: 0, min: 1, max: u64::MAX };
            assert_eq!(Header::read(&buffer[..used]), Err(refused));
        }
    }
}

#[test]
fn payloads() {
    use cofferdam_protocol::call::Fault::Failed;
    let request = Header::Request(Request { call: 1, deadline_ns: 2, actor: "", operation: "" });
    let (reply, failure) = (Header::Reply { call: 1 }, Header::Failure { call: 1, fault: Failed });
    let table = [(request, 100, 100), (reply, 100, 100), (failure, 100, 8192), (Header::Cancel { call: 1 }, 100, 0)];
    for (header, hello, max) in table {
        assert_eq!(header.check_payload(0, hello), Ok(()));
        assert_eq!(header.check_payload(max, hello), Ok(()));
        let over = header.check_payload(max + 1, hello);
        assert!(matches!(over, Err(DecodeError::OutOfRange { .. })), "{header:?} {over:?}");
    }
    for (header, payload, allowed) in
        [(failure, 8192, true), (failure, 8193, false), (Header::Cancel { call: 1 }, 1, false), (reply, 8193, true)]
    {
        let mut buffer = [0; CALL_HEADER_BYTES_MAX];
        let used = header.write(&mut buffer).unwrap();
        let body = [&buffer[..used], &vec![b'x'; payload]].concat();
        assert_eq!(Header::read(&body).is_ok(), allowed, "{header:?} with {payload} bytes");
    }
}

/// A message with one bounded thing of a given size in it.
type Sized<T> = fn(usize) -> T;

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn setting(name: usize, value: usize) -> Setting {
    Setting { name: text(name), value: text(value) }
}

fn bind(actor: usize, values: Vec<Setting>) -> HostMessage {
    HostMessage::Bind { request: 1, actor: text(actor), values }
}

fn confine(dirs: Vec<Dir>, bind: usize, connect: usize) -> HostMessage {
    HostMessage::Confine(Confine {
        sandbox: Sandbox::Required,
        identity: None,
        dirs,
        network: Network::Host { bind: vec![80; bind], connect: vec![80; connect] },
        limits: ResourceLimits { memory_bytes: 1, threads: 1, files: 1, file_bytes: 1, cpu_s: 1 },
    })
}

fn dir(name: usize, path: usize) -> Dir {
    Dir { name: text(name), path: text(path), writable: true }
}

/// Checks that `message(max)` goes over the wire unchanged and that `message(max + 1)` is refused by the writer.
macro_rules! check {
    ($type:ty, $message:expr, $max:expr) => {
        let (message, max): (Sized<$type>, usize) = ($message, $max);
        let frame = message(max).to_frame().expect("the limit itself is allowed");
        assert_eq!(<$type>::from_body(&frame[frame::LENGTH_BYTES..]), Ok(message(max)));
        let refused = message(max + 1).to_frame();
        assert!(matches!(refused, Err(DecodeError::Unsendable { .. })), "{refused:?}");
    };
}

#[test]
fn texts_and_lists_of_host_messages() {
    check!(HostMessage, |n| confine(vec![dir(n, 1)], 0, 0), NAME_BYTES_MAX);
    check!(HostMessage, |n| confine(vec![dir(1, n)], 0, 0), PATH_BYTES_MAX);
    check!(HostMessage, |n| confine(vec![dir(1, 1); n], 0, 0), DIRS_MAX);
    check!(HostMessage, |n| confine(vec![], n, 0), PORTS_MAX);
    check!(HostMessage, |n| confine(vec![], 0, n), PORTS_MAX);
    check!(HostMessage, |n| HostMessage::Load { env: vec![setting(0, 0); n] }, SETTINGS_MAX);
    check!(HostMessage, |n| HostMessage::Load { env: vec![setting(n, 1)] }, NAME_BYTES_MAX);
    check!(HostMessage, |n| bind(n, vec![]), ACTOR_BYTES_MAX);
    check!(HostMessage, |n| bind(1, vec![setting(0, 0); n]), SETTINGS_MAX);
    check!(HostMessage, |n| bind(1, vec![setting(n, 1)]), NAME_BYTES_MAX);
    check!(HostMessage, |n| bind(1, vec![setting(1, n)]), SETTING_VALUE_BYTES_MAX);
    check!(HostMessage, |n| HostMessage::Unbind { request: 1, actor: text(n) }, ACTOR_BYTES_MAX);
    check!(HostMessage, |n| HostMessage::Explain { record: vec![0; n] }, RECORD_BYTES_MAX);
    check!(
        HostMessage,
        |n| HostMessage::Refused { request: 1, refusal: Refusal::Late, reason: text(n) },
        WORDS_BYTES_MAX
    );
}

#[test]
fn texts_and_lists_of_shim_messages() {
    check!(ShimMessage, |n| ShimMessage::Loaded { name: text(n), concurrency: 1 }, WORDS_BYTES_MAX);
    check!(ShimMessage, |n| ShimMessage::Loaded { name: text(1), concurrency: n as u32 }, CALLS_MAX as usize);
    check!(ShimMessage, |n| ShimMessage::NotLoaded { fault: LoadFault::Abi, reason: text(n) }, WORDS_BYTES_MAX);
    check!(ShimMessage, |n| ShimMessage::Bound { request: 1, rejection: Some(text(n)) }, WORDS_BYTES_MAX);
    check!(ShimMessage, |n| ShimMessage::HealthReport { request: 1, complaint: Some(text(n)) }, WORDS_BYTES_MAX);
    check!(ShimMessage, |n| ShimMessage::Log { level: 9, line: text(n), dropped: 0 }, WORDS_BYTES_MAX);
    check!(ShimMessage, |n| ask(Want::Listen { address: text(n) }), ADDRESS_BYTES_MAX);
    check!(ShimMessage, |n| ask(Want::Connect { address: text(n), deadline_ns: 1 }), ADDRESS_BYTES_MAX);
    check!(ShimMessage, |n| ask(Want::File { name: text(n), writable: false }), NAME_BYTES_MAX);
    check!(ShimMessage, |n| explained(vec![Frame::default(); n]), FRAMES_MAX);
    check!(ShimMessage, |n| explained(vec![Frame { module: text(n), ..Frame::default() }]), NAME_BYTES_MAX);
    check!(ShimMessage, |n| explained(vec![Frame { function: Some(text(n)), ..Frame::default() }]), WORDS_BYTES_MAX);
    check!(ShimMessage, |n| explained(vec![Frame { source: Some(text(n)), ..Frame::default() }]), PATH_BYTES_MAX);
    check!(
        ShimMessage,
        |n| ShimMessage::Explained(Backtrace { frames: vec![], remark: Some(text(n)) }),
        WORDS_BYTES_MAX
    );
}

fn explained(frames: Vec<Frame>) -> ShimMessage {
    ShimMessage::Explained(Backtrace { frames, remark: None })
}

fn ask(want: Want) -> ShimMessage {
    ShimMessage::Ask { request: 1, want }
}

#[test]
fn the_reader_has_the_limits_of_the_writer() {
    let loaded = |concurrency: u32| {
        let mut body = vec![0; 4 + 8];
        body.extend(concurrency.to_le_bytes());
        verdict(ShimMessage::from_body(&body))
    };
    for (concurrency, allowed) in [(0, false), (1, true), (1024, true), (1025, false), (u32::MAX, false)] {
        let refused = format!("the peer stated concurrency = {concurrency}, allowed is 1 to 1024");
        assert_eq!(loaded(concurrency), if allowed { Ok(()) } else { Err(refused) });
    }
    let log = |line: usize| {
        let mut body = vec![6, 0, 0, 0, 0, 0, 0, 0];
        body.extend((line as u64).to_le_bytes());
        body.resize(body.len() + line, b'x');
        body.extend([0; 8]);
        verdict(ShimMessage::from_body(&body))
    };
    assert_eq!(log(8192), Ok(()));
    assert_eq!(log(8193), Err("the peer stated line bytes = 8193, allowed is 0 to 8192".to_owned()));
}

#[test]
fn the_fullest_frame_is_read_and_one_byte_more_is_not_written() {
    // The most settings there may be, the first of them as long as may be, up to the limit of the frame: 28 bytes lie
    // around them, 16 in each. The empty ones come last, where the decoder counts more for them than they take.
    let room = CONTROL_FRAME_BYTES_MAX as usize - 28 - SETTINGS_MAX * 16;
    for (more, allowed) in [(0, true), (1, false)] {
        let mut values = vec![setting(0, 0); SETTINGS_MAX];
        let mut left = room + more;
        for setting in &mut values {
            setting.value = text(left.min(SETTING_VALUE_BYTES_MAX));
            left -= setting.value.len();
        }
        let message = bind(0, values);
        let frame = message.to_frame();
        assert_eq!(frame.is_ok(), allowed);
        if let Ok(frame) = frame {
            let (length, body) = frame.split_first_chunk().unwrap();
            assert_eq!(frame::body_bytes(*length, CONTROL_FRAME_BYTES_MAX), Ok(CONTROL_FRAME_BYTES_MAX as usize));
            assert_eq!(HostMessage::from_body(body), Ok(message));
        }
    }
}

#[test]
fn words_are_cut_between_characters() {
    let max = WORDS_BYTES_MAX;
    for (words, expected) in [
        (text(0), 0),
        (text(max), max),
        (text(max + 1), max),
        ("ü".repeat(max), max),
        (format!("x{}", "ü".repeat(max)), max - 1),
    ] {
        assert_eq!(clip(&words).len(), expected);
    }
}
