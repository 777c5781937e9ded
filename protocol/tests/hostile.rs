//! What a hostile peer may send: anything. No parser panics, none takes memory for what isn't there, and what is read
//! has one spelling only.

use cofferdam_protocol::call::{Fault, Header, Request};
use cofferdam_protocol::control::{
    Backtrace, Confine, Dir, Frame, HostMessage, Identity, LoadFault, Network, Refusal, ResourceLimits, Sandbox,
    Setting, ShimMessage, Want,
};
use cofferdam_protocol::limits::{CALL_HEADER_BYTES_MAX, CALLS_MAX, CONTROL_FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX};
use cofferdam_protocol::{Confinement, DecodeError, Features, HostHello, Preface, ShimHello, Side, frame};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

mod samples;

use samples::Message;

/// Gives `bytes` to every parser. What one of them reads, it writes again as the same bytes.
fn read_by_all(bytes: &[u8]) {
    if let Ok(message) = HostMessage::from_body(bytes) {
        assert_eq!(message.to_frame().expect("what was read can be written")[4..], *bytes);
        let _ = format!("{message:?}");
    }
    if let Ok(message) = ShimMessage::from_body(bytes) {
        assert_eq!(message.to_frame().expect("what was read can be written")[4..], *bytes);
    }
    if let Ok((header, used)) = Header::read(bytes) {
        let mut buffer = [0; CALL_HEADER_BYTES_MAX];
        assert_eq!(header.write(&mut buffer), Ok(used));
        assert_eq!(buffer[..used], bytes[..used]);
    }
    if let Some(length) = bytes.first_chunk() {
        let _ = frame::body_bytes(*length, CONTROL_FRAME_BYTES_MAX);
    }
    if let Some(preface) = bytes.first_chunk() {
        for side in [Side::Host, Side::Shim] {
            let _ = Preface::ours(side, Features(u64::MAX), Preface::generation_of(preface)).agree(preface);
        }
    }
    if let Some(hello) = bytes.first_chunk() {
        let _ = HostHello::from_bytes(hello);
        let _ = ShimHello::from_bytes(hello);
    }
}

/// The frames among the samples, without their lengths.
fn bodies() -> impl Iterator<Item = (String, Message, Vec<u8>)> {
    let frames = samples::all()
        .into_iter()
        .filter(|(_, message)| matches!(message, Message::Call(..) | Message::FromHost(_) | Message::FromShim(_)));
    frames.map(|(name, message)| {
        let body = message.to_bytes().split_off(frame::LENGTH_BYTES);
        (name, message, body)
    })
}

/// Reads `body` as the kind of message that `like` is.
fn read_as(like: &Message, body: &[u8]) -> Result<bool, DecodeError> {
    like.is_read_from(&[&[0; frame::LENGTH_BYTES], body].concat())
}

#[test]
fn every_truncation_is_an_error() {
    for (name, message, body) in bodies() {
        let ends = match &message {
            Message::Call(_, payload) => body.len() - payload.len(),
            _ => body.len(),
        };
        for cut in 0..ends {
            assert!(read_as(&message, &body[..cut]).is_err(), "{name} cut to {cut} bytes");
        }
        assert_eq!(read_as(&message, &body), Ok(true), "{name}");
    }
}

#[test]
fn a_byte_too_many_is_an_error() {
    for (name, message, mut body) in bodies() {
        body.push(0);
        match message {
            Message::Call(Header::Cancel { .. }, _) | Message::FromHost(_) | Message::FromShim(_) => {
                assert!(read_as(&message, &body).is_err(), "{name}");
            }
            _ => assert_eq!(read_as(&message, &body), Ok(false), "{name}: the payload is what is left"),
        }
    }
}

#[test]
fn every_flipped_bit_is_another_message_or_an_error() {
    for (name, message, body) in bodies() {
        for bit in 0..body.len() * 8 {
            let mut flipped = body.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            read_by_all(&flipped);
            assert_ne!(read_as(&message, &flipped), Ok(true), "{name} with bit {bit} flipped");
        }
    }
    for (_, message) in samples::all() {
        let bytes = message.to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            read_by_all(&flipped);
        }
    }
}

#[test]
fn enormous_lengths_take_no_memory() {
    const ENORMOUS: [u64; 4] = [1 << 32, 1 << 60, u64::MAX / 56 + 1, u64::MAX];
    // Laid over every place of every message, so over every length.
    for (_, _, body) in bodies() {
        for (at, enormous) in (0..body.len().saturating_sub(7)).flat_map(|at| ENORMOUS.map(|length| (at, length))) {
            let mut body = body.clone();
            body[at..at + 8].copy_from_slice(&enormous.to_le_bytes());
            read_by_all(&body);
        }
    }
    let claims_of_control = CONTROL_FRAME_BYTES_MAX as u64 + (64 << 10);
    let with_length_at = |tag: u8, at: usize, length: u64| {
        let mut body = vec![0; 64];
        body[0] = tag;
        body[at..at + 8].copy_from_slice(&length.to_le_bytes());
        body
    };
    for length in ENORMOUS {
        let control = DecodeError::TooLong { what: "control message", limit: claims_of_control };
        // Directories, settings, an actor's key; the name of a provider, a reason, an address.
        for (tag, at) in [(0, 4), (1, 20), (2, 12)] {
            assert_eq!(HostMessage::from_body(&with_length_at(tag, at, length)), Err(control.clone()));
        }
        for (tag, at) in [(0, 4), (1, 8), (5, 16)] {
            assert_eq!(ShimMessage::from_body(&with_length_at(tag, at, length)), Err(control.clone()));
        }
        for at in [20, 28] {
            let header = Err(DecodeError::TooLong { what: "call header", limit: CALL_HEADER_BYTES_MAX as u64 });
            assert_eq!(Header::read(&with_length_at(0, at, length)), header);
        }
    }
}

#[test]
fn what_is_no_variant_no_text_and_no_truth_is_malformed() {
    let malformed = |result: Result<(), DecodeError>| matches!(result, Err(DecodeError::Malformed { .. }));
    for tag in [9_u32, 255, u32::MAX] {
        let body = [&tag.to_le_bytes()[..], &[0; 64]].concat();
        assert!(malformed(HostMessage::from_body(&body).map(drop)), "host message {tag}");
        assert!(malformed(Header::read(&body).map(drop)), "header {tag}");
    }
    assert!(malformed(ShimMessage::from_body(&[9, 0, 0, 0]).map(drop)));
    // A line that isn't UTF-8, and a rejection that is neither there nor not.
    let line = [&[6, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff][..], &[0; 8]].concat();
    assert!(malformed(ShimMessage::from_body(&line).map(drop)));
    assert!(malformed(ShimMessage::from_body(&[2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]).map(drop)));
}

#[test]
fn the_value_of_a_setting_is_never_shown() {
    let setting = Setting { name: "PASSWORD".into(), value: "hunter2".into() };
    let bind = HostMessage::Bind { request: 1, actor: "M".into(), values: vec![setting.clone()] };
    for shown in [format!("{setting:?}"), format!("{setting:#?}"), format!("{bind:?}"), format!("{bind:#?}")] {
        assert!(shown.contains("PASSWORD") && !shown.contains("hunter2"), "{shown}");
    }
    // Nor in an error, whatever is wrong with the message.
    let mut body = bind.to_frame().unwrap().split_off(frame::LENGTH_BYTES);
    *body.last_mut().unwrap() = 0xff;
    let error = HostMessage::from_body(&body).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
}

fn dir() -> impl Strategy<Value = Dir> {
    (".{0,64}", ".{0,200}", any::<bool>()).prop_map(|(name, path, writable)| Dir { name, path, writable })
}

fn setting() -> impl Strategy<Value = Setting> {
    (".{0,64}", ".{0,200}").prop_map(|(name, value)| Setting { name, value })
}

fn confine() -> impl Strategy<Value = Confine> {
    let sandbox = select(vec![Sandbox::Required, Sandbox::BestEffort, Sandbox::Off]);
    let identity = option::of((1u32.., 1u32..).prop_map(|(uid, gid)| Identity { uid, gid }));
    let ports = || vec(any::<u16>(), 0..9);
    let network = prop_oneof![
        Just(Network::None),
        (ports(), ports()).prop_map(|(bind, connect)| Network::Host { bind, connect }),
    ];
    let limits = (any::<u64>(), any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
        |(memory_bytes, threads, files, file_bytes, cpu_s)| ResourceLimits {
            memory_bytes,
            threads,
            files,
            file_bytes,
            cpu_s,
        },
    );
    (sandbox, identity, vec(dir(), 0..9), network, limits)
        .prop_map(|(sandbox, identity, dirs, network, limits)| Confine { sandbox, identity, dirs, network, limits })
}

fn host_message() -> impl Strategy<Value = HostMessage> {
    let refusal = select(vec![Refusal::Denied, Refusal::Failed, Refusal::Late, Refusal::Invalid]);
    prop_oneof![
        vec(setting(), 0..9).prop_map(|env| HostMessage::Load { env }),
        confine().prop_map(HostMessage::Confine),
        (any::<u64>(), ".{0,32}", vec(setting(), 0..9))
            .prop_map(|(request, actor, values)| { HostMessage::Bind { request, actor, values } }),
        (any::<u64>(), ".{0,32}").prop_map(|(request, actor)| HostMessage::Unbind { request, actor }),
        any::<u64>().prop_map(|request| HostMessage::Health { request }),
        any::<u64>().prop_map(|request| HostMessage::Granted { request }),
        (any::<u64>(), refusal, ".{0,200}")
            .prop_map(|(request, refusal, reason)| { HostMessage::Refused { request, refusal, reason } }),
        any::<u64>().prop_map(|deadline_ns| HostMessage::Drain { deadline_ns }),
        vec(any::<u8>(), 0..300).prop_map(|record| HostMessage::Explain { record }),
        Just(HostMessage::Lanes),
    ]
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        ".{0,64}".prop_map(|address| Want::Listen { address }),
        (".{0,64}", any::<u64>()).prop_map(|(address, deadline_ns)| Want::Connect { address, deadline_ns }),
        (".{0,64}", any::<bool>()).prop_map(|(name, writable)| Want::File { name, writable }),
        any::<u32>().prop_map(|number| Want::Mailbox { number }),
    ]
}

fn frame_of_code() -> impl Strategy<Value = Frame> {
    let text = || option::of(".{0,64}");
    (any::<u64>(), ".{0,64}", any::<u64>(), text(), text(), any::<bool>()).prop_map(
        |(address, module, offset, function, source, inlined)| Frame {
            address,
            module,
            offset,
            function,
            source,
            inlined,
        },
    )
}

fn shim_message() -> impl Strategy<Value = ShimMessage> {
    use LoadFault::{Abi, Create, NotALibrary, Open, Shim, Symbol};
    let fault = select(vec![NotALibrary, Open, Symbol, Abi, Create, Shim]);
    prop_oneof![
        (".{0,64}", 1..=CALLS_MAX).prop_map(|(name, concurrency)| ShimMessage::Loaded { name, concurrency }),
        (fault, ".{0,200}").prop_map(|(fault, reason)| ShimMessage::NotLoaded { fault, reason }),
        (any::<u64>(), option::of(".{0,200}"))
            .prop_map(|(request, rejection)| ShimMessage::Bound { request, rejection }),
        any::<u64>().prop_map(|request| ShimMessage::Unbound { request }),
        (any::<u64>(), option::of(".{0,200}"))
            .prop_map(|(request, complaint)| { ShimMessage::HealthReport { request, complaint } }),
        (any::<u64>(), want()).prop_map(|(request, want)| ShimMessage::Ask { request, want }),
        (any::<u32>(), ".{0,200}", any::<u64>())
            .prop_map(|(level, line, dropped)| { ShimMessage::Log { level, line, dropped } }),
        Just(ShimMessage::Drained),
        (vec(frame_of_code(), 0..9), option::of(".{0,200}"))
            .prop_map(|(frames, remark)| ShimMessage::Explained(Backtrace { frames, remark })),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    use Fault::{Denied, Failed, Internal, Invalid, Late, Panicked, Unavailable};
    select(vec![Failed, Panicked, Denied, Late, Unavailable, Invalid, Internal])
}

proptest! {
    #[test]
    fn host_messages_go_round(message in host_message()) {
        let frame = message.to_frame().unwrap();
        prop_assert_eq!(HostMessage::from_body(&frame[4..]), Ok(message));
    }

    #[test]
    fn shim_messages_go_round(message in shim_message()) {
        let frame = message.to_frame().unwrap();
        prop_assert_eq!(ShimMessage::from_body(&frame[4..]), Ok(message));
    }

    #[test]
    fn calls_go_round(
        variant in 0..4, call in 1..=u64::MAX, deadline_ns: u64, actor in ".{0,32}", operation in ".{0,128}", fault in fault(),
        payload in vec(any::<u8>(), 0..2048),
    ) {
        let (header, payload) = match variant {
            0 => (Header::Request(Request { call, deadline_ns, actor: &actor, operation: &operation }), &payload[..]),
            1 => (Header::Reply { call }, &payload[..]),
            2 => (Header::Failure { call, fault }, &payload[..]),
            _ => (Header::Cancel { call }, &[][..]),
        };
        let mut buffer = [0; CALL_HEADER_BYTES_MAX];
        let used = header.write(&mut buffer).unwrap();
        let body = [&buffer[..used], payload].concat();
        prop_assert_eq!(Header::read(&body), Ok((header, used)));
        prop_assert_eq!(header.call(), call);
        prop_assert_eq!(&body[used..], payload);
    }

    #[test]
    fn hellos_go_round(
        payload_bytes_max in 1..=PAYLOAD_BYTES_MAX, calls_max in 1..=CALLS_MAX, actor_calls_max in 1..=CALLS_MAX,
        pid: u32, confinement: u64,
    ) {
        let host = HostHello { payload_bytes_max, calls_max, actor_calls_max };
        prop_assert_eq!(HostHello::from_bytes(&host.to_bytes()), Ok(host));
        let shim = ShimHello { pid, confinement: Confinement::from_bits(confinement) };
        prop_assert_eq!(ShimHello::from_bytes(&shim.to_bytes()), shim);
    }

    #[test]
    fn arbitrary_bytes_panic_nowhere(bytes in vec(any::<u8>(), 0..4096)) {
        read_by_all(&bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_a_tag_panic_nowhere(tag in 0..9_u32, bytes in vec(prop_oneof![Just(0), 0..9_u8, any::<u8>()], 0..256)) {
        read_by_all(&[&tag.to_le_bytes()[..], &bytes].concat());
    }

    #[test]
    fn damaged_messages_panic_nowhere(row in any::<prop::sample::Index>(), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..9)) {
        let rows = samples::all();
        let mut bytes = rows[row.index(rows.len())].1.to_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_by_all(&bytes);
        read_by_all(&bytes[4..]);
    }
}
