//! The words on the operator's socket: one JSON object a line, each way.
//!
//! A request is `{"v": 1, "op": "ps"}`, `{"v": 1, "op": "stop"}` or `{"v": 1, "op": "call", "actor": …, "operation": …,
//! "payload": "base64", "timeout_ms": 2000}`, or `{"v": 1, "op": "provider", "act": "restart", "provider": …, "link": …,
//! "timeout_ms": 30000}`, where `act` is restart, stop, hold or release, or `{"v": 1, "op": "explain", "provider": …, "link": …}`. The answer is `{"v": 1, "ps": {…}}`, `{"v": 1, "stopping": {}}`,
//! `{"v": 1, "answer": "base64"}`, `{"v": 1, "provider": {…}}`, `{"v": 1, "explained": {…}}` or `{"v": 1, "error": {blame, kind, outcome, message, next}}`. A line is at most
//! [`LINE_BYTES_MAX`] long, a request is flat, and answers nested deeper than 128 are refused by the parser. What a peer
//! sends is never believed: an unknown version, operation or key is a typed error, and the connection goes on.
//!
//! Who closes the connection, or its sending half, before the answer of a call has come gives the call up.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cofferdam_claims::printable;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::explain::{ExplainLine, ExplainReport, ExplainRequest};
use super::provider::{ProviderLine, ProviderRequest};
use super::report::{ProviderReport, PsReport};
use crate::words::{Blame, CallError, Outcome};

/// The version spoken here. A host answers a request of another version by a typed error.
pub const VERSION: u32 = 1;

/// A longer line is refused while it is being read. The largest payload, in base64, takes two thirds of it.
pub const LINE_BYTES_MAX: usize = 32 << 20;

/// The longest time that a call may ask for.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// The longest name of an actor or an operation.
pub const NAME_BYTES_MAX: usize = 1024;

/// What is asked of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Show what runs.
    Ps,
    /// Call an actor, as the host itself.
    Call(CallRequest),
    /// Show what a provider may have of the world.
    Explain(ExplainRequest),
    /// Restart, stop, hold or release a provider. Answered when that is done.
    Provider(ProviderRequest),
    /// Drain and end. Answered when it begins; the connection closes when it is done.
    Stop,
}

/// A call to an actor from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRequest {
    /// The actor's public key or call alias.
    pub actor: String,
    /// The operation.
    pub operation: String,
    /// The argument; opaque here, MessagePack by convention.
    #[serde(serialize_with = "to_base64")]
    pub payload: Vec<u8>,
    /// How long the call may take.
    pub timeout_ms: u64,
}

/// What a host answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Ps`].
    Ps(PsReport),
    /// To [`Request::Call`]: what the actor answered.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    Answer(Vec<u8>),
    /// To [`Request::Explain`].
    Explained(ExplainReport),
    /// To [`Request::Provider`]: how it stands now.
    Provider(ProviderReport),
    /// To [`Request::Stop`].
    Stopping {},
    /// To anything.
    Error(ErrorReport),
}

/// An error as programs read it, on the socket and on the command line's stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorReport {
    /// Who has to change something.
    pub blame: Blame,
    /// The word for programs. A released word never changes.
    pub kind: String,
    /// Whether it may have been done all the same.
    pub outcome: Outcome,
    /// What was attempted, on what, and why it failed.
    pub message: String,
    /// What to do next.
    pub next: String,
}

/// Every request has these; the rest depends on `op`.
#[derive(Deserialize)]
struct Head {
    v: u32,
    op: String,
}

/// A request with nothing more than that.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bare {
    #[serde(rename = "v")]
    _v: u32,
    #[serde(rename = "op")]
    _op: String,
}

/// A call as it stands in its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallLine {
    #[serde(rename = "v")]
    _v: u32,
    #[serde(rename = "op")]
    _op: String,
    actor: String,
    operation: String,
    #[serde(deserialize_with = "from_base64")]
    payload: Vec<u8>,
    timeout_ms: u64,
}

#[derive(Serialize)]
struct RequestLine<'a> {
    v: u32,
    op: &'static str,
    #[serde(flatten)]
    call: Option<&'a CallRequest>,
    #[serde(flatten)]
    provider: Option<&'a ProviderRequest>,
    #[serde(flatten)]
    explain: Option<&'a ExplainRequest>,
}

#[derive(Serialize, Deserialize)]
struct ReplyLine<R> {
    v: u32,
    #[serde(flatten)]
    reply: R,
}

impl Request {
    /// The word on the wire.
    pub const fn op(&self) -> &'static str {
        match self {
            Self::Ps => "ps",
            Self::Call(_) => "call",
            Self::Provider(_) => "provider",
            Self::Explain(_) => "explain",
            Self::Stop => "stop",
        }
    }

    /// What the audit log says of it, in a word and whom it is about; nothing of a mere look.
    pub(super) fn told(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Ps | Self::Explain(_) => None,
            Self::Call(call) => Some(("call", &call.actor)),
            Self::Provider(request) => Some((request.act.word(), &request.provider)),
            Self::Stop => Some(("stop", "")),
        }
    }

    /// One line, with its end.
    pub fn to_line(&self) -> Vec<u8> {
        let call = if let Self::Call(call) = self { Some(call) } else { None };
        let provider = if let Self::Provider(provider) = self { Some(provider) } else { None };
        let explain = if let Self::Explain(explain) = self { Some(explain) } else { None };
        line(&RequestLine { v: VERSION, op: self.op(), call, provider, explain })
    }

    /// Reads a line. The error is the answer to send.
    pub fn from_line(line: &[u8]) -> Result<Self, ErrorReport> {
        let head: Head = serde_json::from_slice(line).map_err(|e| malformed(&e))?;
        if head.v != VERSION {
            let message = format!("the request is of version {}, and this host speaks version {VERSION}", head.v);
            return Err(peer_error("unsupported_version", message, "use a `cofferdam` of the host's version"));
        }
        let bare = || serde_json::from_slice::<Bare>(line).map_err(|e| malformed(&e));
        match head.op.as_str() {
            "ps" => bare().map(|_| Self::Ps),
            "stop" => bare().map(|_| Self::Stop),
            "call" => {
                let CallLine { actor, operation, payload, timeout_ms, .. } =
                    serde_json::from_slice(line).map_err(|e| malformed(&e))?;
                let call = CallRequest { actor, operation, payload, timeout_ms };
                call.check()?;
                Ok(Self::Call(call))
            }
            "explain" => {
                let line: ExplainLine = serde_json::from_slice(line).map_err(|e| malformed(&e))?;
                line.try_into().map(Self::Explain)
            }
            "provider" => {
                let line: ProviderLine = serde_json::from_slice(line).map_err(|e| malformed(&e))?;
                line.try_into().map(Self::Provider)
            }
            op => {
                let op: String = op.chars().take(64).collect();
                let message = format!("this host knows no operation {op:?}");
                Err(peer_error("unknown_operation", message, "use ps, call, explain, provider or stop"))
            }
        }
    }
}

impl CallRequest {
    /// How long the call may take.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn check(&self) -> Result<(), ErrorReport> {
        if self.timeout().is_zero() || self.timeout() > CALL_TIMEOUT_MAX {
            let message = format!("a call may take from 1 ms to {CALL_TIMEOUT_MAX:?}, not {:?}", self.timeout());
            return Err(peer_error("malformed_request", message, "give another time-out"));
        }
        for (what, name) in [("actor", &self.actor), ("operation", &self.operation)] {
            if name.len() > NAME_BYTES_MAX {
                let message =
                    format!("the name of the {what} has {} bytes, more than the {NAME_BYTES_MAX} allowed", name.len());
                return Err(peer_error("malformed_request", message, "give a shorter name"));
            }
        }
        Ok(())
    }
}

impl Reply {
    /// One line, with its end.
    pub fn to_line(&self) -> Vec<u8> {
        line(&ReplyLine { v: VERSION, reply: self })
    }

    /// Reads a line; the error says what is wrong with it.
    pub fn from_line(line: &[u8]) -> Result<Self, String> {
        let line: ReplyLine<Self> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        if line.v == VERSION { Ok(line.reply) } else { Err(format!("its version is {}", line.v)) }
    }
}

impl From<&CallError> for ErrorReport {
    fn from(error: &CallError) -> Self {
        Self {
            blame: error.blame(),
            kind: error.kind().to_owned(),
            outcome: error.outcome(),
            message: error.to_string(),
            next: error.next_step().to_owned(),
        }
    }
}

/// A request that was not carried out because of what was sent, or how.
pub(super) fn peer_error(kind: &str, message: String, next: &str) -> ErrorReport {
    let (kind, next) = (kind.to_owned(), next.to_owned());
    ErrorReport { blame: Blame::Peer, kind, outcome: Outcome::NotDelivered, message, next }
}

fn malformed(error: &serde_json::Error) -> ErrorReport {
    // It may repeat a name of the peer's, of any length.
    const WHY_CHARS_MAX: usize = 400;
    let why: String = printable(&error.to_string()).chars().take(WHY_CHARS_MAX).collect();
    let message = format!("the request is malformed: {why}");
    peer_error("malformed_request", message, "send one JSON object a line, with `v` and `op`")
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("these types have string keys and no failing serializer");
    line.push(b'\n');
    line
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(|e| D::Error::custom(format!("not base64: {e}")))
}
