//! One sample of every message. The tables are matches without a wildcard: a new variant does not compile until it has
//! a row, and a new field until the row states it.

use cofferdam_protocol::call::{Fault, Header, Request};
use cofferdam_protocol::control::{
    Backtrace, Confine, Dir, Frame, HostMessage, Identity, LoadFault, Network, Refusal, ResourceLimits, Sandbox,
    Setting, ShimMessage, Want,
};
use cofferdam_protocol::limits::{CALL_HEADER_BYTES_MAX, PAYLOAD_BYTES_DEFAULT};
use cofferdam_protocol::{Confinement, DecodeError, Features, HostHello, Preface, ShimHello, Side, call, frame};

/// Whatever is sent.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    Preface(Preface),
    HostHello(HostHello),
    ShimHello(ShimHello),
    Call(Header<'static>, &'static [u8]),
    FromHost(HostMessage),
    FromShim(ShimMessage),
}

macro_rules! table {
    ($function:ident: $type:ident; $( $variant:ident => [ $( $name:literal: $sample:expr ),+ $(,)? ] ),+ $(,)?) => {
        fn $function() -> Vec<(String, $type)> {
            fn variant(value: &$type) -> &'static str {
                match value { $( $type::$variant { .. } => stringify!($variant) ),+ }
            }
            let named = |row: &str, name: &str, sample: $type| {
                assert_eq!(row, variant(&sample), "the sample {name:?} lies in the row of another variant");
                (format!("{}::{row} {name}", stringify!($type)).trim_end().to_owned(), sample)
            };
            vec![ $( $( named(stringify!($variant), $name, $sample) ),+ ),+ ]
        }
    };
}

type CallHeader = Header<'static>;

const ACTOR: &str = "MBCFOPM6JW2APJLXJD3Z5O4CN7CPYJ2B4FTKLJUR5YR5MITIU7HD3WD5";

const LIMITS: ResourceLimits =
    ResourceLimits { memory_bytes: 1 << 30, threads: 512, files: 1024, file_bytes: 1 << 34, cpu_s: u64::MAX };

table! { sides: Side; Host => ["": Side::Host], Shim => ["": Side::Shim] }

table! { faults: Fault;
    Failed => ["": Fault::Failed],
    Panicked => ["": Fault::Panicked],
    Denied => ["": Fault::Denied],
    Late => ["": Fault::Late],
    Unavailable => ["": Fault::Unavailable],
    Invalid => ["": Fault::Invalid],
    Internal => ["": Fault::Internal],
}

table! { headers: CallHeader;
    Request => ["": Header::Request(Request {
        call: 0x0102_0304_0506_0708, deadline_ns: 86_400_000_000_000, actor: ACTOR, operation: "Get",
    })],
    Reply => ["": Header::Reply { call: 7 }],
    Failure => ["": Header::Failure { call: 7, fault: Fault::Failed }],
    Cancel => ["": Header::Cancel { call: 7 }],
}

table! { refusals: Refusal;
    Denied => ["": Refusal::Denied],
    Failed => ["": Refusal::Failed],
    Late => ["": Refusal::Late],
    Invalid => ["": Refusal::Invalid],
}

table! { host_messages: HostMessage;
    Load => [
        "without environment": HostMessage::Load { env: vec![] },
        "with environment": HostMessage::Load { env: vec![Setting { name: "TZ".into(), value: "UTC".into() }] },
    ],
    Bind => [
        "without settings": HostMessage::Bind { request: 1, actor: ACTOR.into(), values: vec![] },
        "with settings": HostMessage::Bind { request: 2, actor: ACTOR.into(), values: vec![
            Setting { name: "PORT".into(), value: "8080".into() },
            Setting { name: "GREETING".into(), value: "grüß dich".into() },
        ] },
    ],
    Unbind => ["": HostMessage::Unbind { request: 3, actor: ACTOR.into() }],
    Health => ["": HostMessage::Health { request: 4 }],
    Granted => ["": HostMessage::Granted { request: 5 }],
    Refused => ["": HostMessage::Refused { request: 6, refusal: Refusal::Denied, reason: "no".into() }],
    Drain => ["": HostMessage::Drain { deadline_ns: 86_402_000_000_000 }],
    Confine => [
        "an unprivileged host": HostMessage::Confine(Confine {
            sandbox: Sandbox::Required, identity: None, dirs: vec![], network: Network::None, limits: LIMITS,
        }),
        "root, and all there is": HostMessage::Confine(Confine {
            sandbox: Sandbox::BestEffort,
            identity: Some(Identity { uid: 1_879_048_192, gid: 1_879_048_193 }),
            dirs: vec![
                Dir { name: "state".into(), path: "/var/lib/state".into(), writable: true },
                Dir { name: "web".into(), path: "/srv/web".into(), writable: false },
            ],
            network: Network::Host { bind: vec![80, 443], connect: vec![6379] },
            limits: LIMITS,
        }),
    ],
    Explain => ["": HostMessage::Explain { record: vec![1, 0, 0, 0] }],
    Lanes => ["": HostMessage::Lanes],
}

table! { load_faults: LoadFault;
    NotALibrary => ["": LoadFault::NotALibrary],
    Open => ["": LoadFault::Open],
    Symbol => ["": LoadFault::Symbol],
    Abi => ["": LoadFault::Abi],
    Create => ["": LoadFault::Create],
    Shim => ["": LoadFault::Shim],
}

table! { wants: Want;
    Listen => ["": Want::Listen { address: "127.0.0.1:8080".into() }],
    Connect => ["": Want::Connect { address: "redis.example:6379".into(), deadline_ns: 86_400_000_000_000 }],
    File => [
        "to read": Want::File { name: "words".into(), writable: false },
        "to change": Want::File { name: "words".into(), writable: true },
    ],
    Mailbox => ["": Want::Mailbox { number: 3 }],
}

table! { shim_messages: ShimMessage;
    Loaded => ["": ShimMessage::Loaded { name: "keyvalue 0.1.0".into(), concurrency: 64 }],
    NotLoaded => ["": ShimMessage::NotLoaded { fault: LoadFault::NotALibrary, reason: "no".into() }],
    Bound => [
        "accepted": ShimMessage::Bound { request: 1, rejection: None },
        "rejected": ShimMessage::Bound { request: 1, rejection: Some("no PORT".into()) },
    ],
    Unbound => ["": ShimMessage::Unbound { request: 3 }],
    HealthReport => [
        "healthy": ShimMessage::HealthReport { request: 4, complaint: None },
        "unhealthy": ShimMessage::HealthReport { request: 4, complaint: Some("disk full".into()) },
    ],
    Ask => ["": ShimMessage::Ask { request: 5, want: Want::Listen { address: "[::]:80".into() } }],
    Log => ["": ShimMessage::Log { level: 2, line: "hello".into(), dropped: 3 }],
    Drained => ["": ShimMessage::Drained],
    Explained => [
        "nothing": ShimMessage::Explained(Backtrace::default()),
        "two frames": ShimMessage::Explained(Backtrace {
            frames: vec![
                Frame {
                    address: 0x7f00_0000_1234, module: "library".into(), offset: 0x1234, function: Some("inner".into()),
                    source: Some("lib.rs:7".into()), inlined: true,
                },
                Frame { address: 0x10, module: String::new(), offset: 0, function: None, source: None, inlined: false },
            ],
            remark: Some("the stack ends here".into()),
        }),
    ],
}

/// Every message with its name, each nested variant once.
pub(crate) fn all() -> Vec<(String, Message)> {
    let mut all = fixed();
    for (name, header) in headers() {
        let payload: &[u8] = match header {
            Header::Request(_) => b"argument",
            Header::Reply { .. } => b"answer",
            Header::Failure { .. } => b"words",
            Header::Cancel { .. } => b"",
        };
        all.push((name, Message::Call(header, payload)));
    }
    for (name, fault) in faults() {
        all.push((format!("CallHeader::Failure {name}"), Message::Call(Header::Failure { call: 7, fault }, b"")));
    }
    all.extend(host_messages().into_iter().map(|(name, message)| (name, Message::FromHost(message))));
    for (name, refusal) in refusals() {
        let message = HostMessage::Refused { request: 6, refusal, reason: String::new() };
        all.push((format!("HostMessage::Refused {name}"), Message::FromHost(message)));
    }
    all.extend(shim_messages().into_iter().map(|(name, message)| (name, Message::FromShim(message))));
    for (name, fault) in load_faults() {
        let message = ShimMessage::NotLoaded { fault, reason: String::new() };
        all.push((format!("ShimMessage::NotLoaded {name}"), Message::FromShim(message)));
    }
    for (name, want) in wants() {
        all.push((format!("ShimMessage::Ask {name}"), Message::FromShim(ShimMessage::Ask { request: 5, want })));
    }
    all
}

/// Preface and hellos. Versions are stated, not those of this build, because the table outlives it.
fn fixed() -> Vec<(String, Message)> {
    let features = Features(0x8000_0000_0000_0001);
    let prefaces = sides().into_iter().map(|(name, side)| {
        let preface = Preface { side, version_min: 1, version_max: 0x0203, features, generation: 42 };
        (format!("Preface {name}"), Message::Preface(preface))
    });
    let host = HostHello { payload_bytes_max: PAYLOAD_BYTES_DEFAULT, calls_max: 64, actor_calls_max: 0x0102 };
    let shim = ShimHello { pid: 4711, confinement: Confinement::from_bits(0x0102_0304_0506_0708) };
    prefaces
        .chain([("HostHello".to_owned(), Message::HostHello(host)), ("ShimHello".to_owned(), Message::ShimHello(shim))])
        .collect()
}

impl Message {
    /// The bytes on the socket.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Preface(preface) => preface.to_bytes().to_vec(),
            Self::HostHello(hello) => hello.to_bytes().to_vec(),
            Self::ShimHello(hello) => hello.to_bytes().to_vec(),
            Self::Call(header, payload) => {
                let mut buffer = [0; CALL_HEADER_BYTES_MAX];
                let used = header.write(&mut buffer).expect("a sample can be written");
                let limit = call::frame_bytes_max(PAYLOAD_BYTES_DEFAULT);
                let length = frame::length(used + payload.len(), limit).expect("a sample is short");
                [&length, &buffer[..used], payload].concat()
            }
            Self::FromHost(message) => message.to_frame().expect("a sample can be written"),
            Self::FromShim(message) => message.to_frame().expect("a sample can be written"),
        }
    }

    /// Whether `bytes`, read as a message of this kind, are this message.
    pub(crate) fn is_read_from(&self, bytes: &[u8]) -> Result<bool, DecodeError> {
        let body = bytes.get(frame::LENGTH_BYTES..).unwrap_or_default();
        Ok(match self {
            Self::Preface(preface) => {
                let bytes = bytes.try_into().expect("a preface has 32 bytes");
                let ours = match preface.side {
                    Side::Host => Side::Shim,
                    Side::Shim => Side::Host,
                };
                let agreed = Preface { side: ours, ..*preface }.agree(bytes)?;
                let generation = Preface::generation_of(bytes);
                (agreed.version, agreed.features, generation)
                    == (preface.version_max, preface.features, preface.generation)
            }
            Self::HostHello(hello) => HostHello::from_bytes(bytes.try_into().expect("a hello has 64 bytes"))? == *hello,
            Self::ShimHello(hello) => ShimHello::from_bytes(bytes.try_into().expect("a hello has 64 bytes")) == *hello,
            Self::Call(header, payload) => {
                let (read, used) = Header::read(body)?;
                read == *header && body[used..] == **payload
            }
            Self::FromHost(message) => HostMessage::from_body(body)? == *message,
            Self::FromShim(message) => ShimMessage::from_body(body)? == *message,
        })
    }
}
