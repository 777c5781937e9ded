//! What `explain` shows: the authority of one provider. It never holds the value of a link, a variable or a secret.

use serde::{Deserialize, Serialize};

use super::protocol::{ErrorReport, NAME_BYTES_MAX, peer_error};

/// Whose authority is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainRequest {
    /// The provider's public key, its name, or where it came from.
    pub provider: String,
    /// The link name it runs under, where that is needed to tell it from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// The authority of one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainReport {
    /// Its public key (`V…`).
    pub id: String,
    /// The name in its claims.
    pub name: String,
    /// The contract that it serves.
    pub contract: String,
    /// Where it came from.
    pub image: String,
    /// What its archive states that it needs; `None` when it states nothing.
    pub needs: Option<Vec<AuthorityReport>>,
    /// What it is granted; `None` without grants.
    pub grants: Option<Vec<AuthorityReport>>,
    /// What it gets.
    pub effective: Vec<AuthorityReport>,
    /// Of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<RunningReport>,
}

/// One thing of the world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityReport {
    /// `listen`, `connect`, `dir`, `file`, `env`, `secret` or `network`.
    pub kind: String,
    /// What it is.
    pub what: String,
    /// Why it is had.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What is so only of a provider that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningReport {
    /// The link name that it runs under.
    pub link: String,
    /// Its state, as in `ps`.
    pub state: String,
    /// Why it is in that state, where that needs a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// The user that it runs as; `None` is the host's.
    pub uid: Option<u32>,
    /// Where it listens.
    pub listening: Vec<String>,
    /// What is done about measures of the sandbox that this machine lacks.
    pub sandbox: String,
    /// Measures of the sandbox that are not in force for its process.
    pub unconfined: Vec<String>,
    /// What it may use up.
    pub limits: LimitsReport,
    /// What it may use up with all that is held for it; `None` without a control group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_group: Option<GroupReport>,
}

/// What a control group bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Memory, that of the kernel and of files among it.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub tasks: u64,
    /// Thousandths of one processor; `None` is as much as is free.
    pub cpus_milli: Option<u32>,
}

/// What a provider may use up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsReport {
    /// Private writable memory.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: u32,
    /// Open descriptors.
    pub files: u32,
    /// The size of a file that it writes.
    pub file_bytes: u64,
    /// Seconds of a processor; `None` is any number.
    pub cpu_s: Option<u64>,
    /// Calls at once, each way.
    pub calls: u32,
}

/// The request as it stands in its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainLine {
    #[serde(rename = "v")]
    _v: u32,
    #[serde(rename = "op")]
    _op: String,
    provider: String,
    link: Option<String>,
}

impl TryFrom<ExplainLine> for ExplainRequest {
    type Error = ErrorReport;

    fn try_from(line: ExplainLine) -> Result<Self, ErrorReport> {
        let ExplainLine { provider, link, .. } = line;
        let longest = provider.len().max(link.as_ref().map_or(0, String::len));
        if longest > NAME_BYTES_MAX {
            let message = format!("a name has {longest} bytes, more than the {NAME_BYTES_MAX} allowed");
            return Err(peer_error("malformed_request", message, "give a shorter name"));
        }
        Ok(Self { provider, link })
    }
}
