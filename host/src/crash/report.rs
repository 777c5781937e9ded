//! What is said of one death. Times are in milliseconds, addresses in hexadecimal.

use serde::{Deserialize, Serialize};

/// The form of the report.
pub const REPORT_VERSION: u32 = 1;

/// The death of one process of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// Its name: when, who, and which start. Reports in the order of their names are in the order of the deaths.
    pub id: String,
    /// When, in UTC.
    pub at: String,
    /// Whose process it was.
    pub provider: Provider,
    /// Which start it was.
    pub generation: u64,
    /// The process, if it came so far.
    pub pid: Option<u32>,
    /// How long it lived.
    pub uptime_ms: Option<u64>,
    /// Why, in a sentence, as `ps` says it.
    pub cause: String,
    /// How the kernel says that it ended.
    pub ended: Ended,
    /// What was decided.
    pub decision: String,
    /// What made it end, by its own word. None where it left none.
    pub fault: Option<Fault>,
    /// Where the thread was.
    pub backtrace: Backtrace,
    /// What it used, by the kernel's word.
    pub resources: Option<Resources>,
    /// Measures of the sandbox that were not in force.
    pub unconfined: Vec<String>,
    /// Calls that it had not answered, and those that were given up by their callers, the oldest first.
    pub calls_in_flight: Vec<Call>,
    /// Calls that had ended, the latest first.
    pub calls_before: Vec<Call>,
    /// The last that it wrote.
    pub output: Output,
}

/// Whose process it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its public key.
    pub id: String,
    /// The link name it runs under.
    pub link: String,
    /// Its contract.
    pub contract: String,
    /// Its name and version, by its own word.
    pub name: String,
}

/// How the kernel says that a process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(String),
    /// It was ended by the host, for the cause.
    ByTheHost,
    /// It is not known.
    #[default]
    Unknown,
}

/// What made a process end, by its own word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The signal that it met.
    pub signal: String,
    /// Why it came.
    pub why: String,
    /// The address it is about.
    pub address: Option<String>,
    /// Where the thread executed.
    pub pc: String,
    /// Which thread.
    pub thread: Thread,
    /// What it may not do, and tried.
    pub system_call: Option<SystemCall>,
}

/// A thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its id among the provider's own.
    pub id: u32,
    /// Its name.
    pub name: String,
}

/// A system call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemCall {
    /// Its number on this machine.
    pub number: i64,
    /// Its name, where it is one that the sandbox answers with a signal.
    pub name: Option<String>,
}

/// Where the thread was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backtrace {
    /// From the innermost outwards.
    pub frames: Vec<Frame>,
    /// What is missing, and why.
    pub remark: Option<String>,
}

/// One function of a backtrace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Where it executed.
    pub address: String,
    /// Which file it is from: `library`, `cofferdam-shim`, or one of the system's.
    pub module: String,
    /// The place in that file.
    pub offset: String,
    /// Its name.
    pub function: Option<String>,
    /// File and line.
    pub source: Option<String>,
    /// Whether it is part of the next one's code.
    pub inlined: bool,
}

/// What a process used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Time it computed.
    pub user_ms: u64,
    /// Time the system computed for it.
    pub system_ms: u64,
    /// The most memory it had at once.
    pub memory_bytes_peak: u64,
    /// The most that its control group had, with what the kernel held for it; none where there was no group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_memory_bytes_peak: Option<u64>,
    /// Pages that had to be read.
    pub page_faults_major: u64,
    /// Pages that had only to be mapped.
    pub page_faults_minor: u64,
}

/// A call of an actor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Who called.
    pub actor: String,
    /// What.
    pub operation: String,
    /// How long before the death it was made.
    pub age_ms: u64,
    /// How long it may take in all; none when it may take any time.
    pub deadline_ms: Option<u64>,
    /// How long it took, and what came of it; none while it is waited for.
    pub ended: Option<CallEnd>,
    /// What was passed, of a call in flight; none unless the operator asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// The beginning of what was passed in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The first bytes, without the values of links: `…` stands for each.
    #[serde(with = "bytes")]
    pub start: Vec<u8>,
    /// How long it was in all.
    pub bytes: u64,
    /// How much of it is left out after the first bytes.
    pub left_out: u64,
}

/// What payloads take in one report, so that it stays readable: the oldest calls come first.
pub const PAYLOADS_BYTES_MAX: usize = 256 << 10;

/// Bytes as the rest of the system writes them in JSON: `{"$bytes": "base64"}`.
mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Bytes {
        #[serde(rename = "$bytes")]
        base64: String,
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Bytes { base64: STANDARD.encode(bytes) }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(Bytes::deserialize(deserializer)?.base64).map_err(D::Error::custom)
    }
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEnd {
    /// How long it took.
    pub took_ms: u64,
    /// Whether it was answered well.
    pub ok: bool,
    /// Whether its caller gave it up, at its deadline or before. It may be what the process hung in.
    #[serde(default)]
    pub given_up: bool,
}

/// The last lines of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// In their order.
    pub lines: Vec<Line>,
    /// How many came before them.
    pub earlier: u64,
}

/// A line that a provider wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `stdout`, `stderr` or `log`.
    pub stream: String,
    /// What, without the values of its links.
    pub text: String,
}
