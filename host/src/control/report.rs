//! What `ps` shows: the host as it is at one moment. It never holds a link's values, which may be secrets.

use serde::{Deserialize, Serialize};

/// The host and all that it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PsReport {
    /// The host's process.
    pub pid: u32,
    /// The host's public key (`N…`).
    pub host_id: String,
    /// The namespace that it serves.
    pub namespace: String,
    /// Whole seconds since it was started.
    pub uptime_s: u64,
    /// What is done about measures of the sandbox that this machine lacks: `required`, `best-effort` or `off`.
    pub sandbox: String,
    /// Where it keeps its state.
    #[serde(default)]
    pub state_dir: String,
    /// How the audit log does: `ok`, or `behind`, since when and why.
    #[serde(default)]
    pub audit: String,
    /// Running actors.
    pub actors: Vec<ActorReport>,
    /// Providers, running or not.
    pub providers: Vec<ProviderReport>,
    /// Links, active or not.
    pub links: Vec<LinkReport>,
}

/// One actor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorReport {
    /// Its public key (`M…`).
    pub id: String,
    /// The name in its claims.
    pub name: String,
    /// The revision in its claims; `None` when they have none.
    pub revision: Option<i32>,
    /// The name by which other actors call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_alias: Option<String>,
    /// Calls it serves right now.
    pub calls_in_flight: u32,
    /// Whether its instructions are counted; without, an endless loop is not ended.
    pub metered: bool,
    /// Calls of an unmetered actor that run on after their deadline, each on a thread of its own. Those that never end
    /// go with the host.
    #[serde(default)]
    pub runaways: u32,
}

/// One provider under one link name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderReport {
    /// Its public key (`V…`).
    pub id: String,
    /// The contract that it serves.
    pub contract: String,
    /// The link name that it runs under.
    pub link: String,
    /// The name in its claims.
    pub name: String,
    /// Its process; `None` while there is none, and for what is built into the host.
    pub pid: Option<u32>,
    /// `ready`, `backoff`, `held`, `draining` and so on.
    pub state: String,
    /// Why it is in this state, where that says something: held, backing off, being tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// In how many milliseconds a start is tried, while it waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_ms: Option<u64>,
    /// Counts its processes: the first has 1.
    pub generation: u64,
    /// How many microseconds its process took from the order to start it until it took calls, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_in_us: Option<u64>,
    /// How often it was started again by itself.
    pub restarts: u64,
    /// How its last process ended, in words; `None` when none has.
    pub last_exit: Option<String>,
    /// Measures of the sandbox that are not in force for its process.
    #[serde(default)]
    pub unconfined: Vec<String>,
}

/// One link, without its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    /// The actor's public key.
    pub actor: String,
    /// The contract.
    pub contract: String,
    /// The link name.
    pub link: String,
    /// The provider's public key.
    pub provider: String,
    /// `bound`, `pending`, `waits for its actor`, `waits for its provider`, or `rejected:` or `denied:` and why.
    pub state: String,
}
