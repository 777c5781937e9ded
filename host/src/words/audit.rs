//! What the audit log remembers, and all that the rest of the host knows of it: [`Auditor`].
//!
//! An event says who did what to whom. It never holds the value of a link, a payload, a seed or a token; its texts are
//! [`Brief`], so that nobody who chooses a name chooses the size of the log, or what a terminal does with it.

use cofferdam_claims::deceives;
use serde::Serialize;

use super::Denial;

/// Where events go. Nothing here waits: whoever tells goes on at once.
pub trait Auditor: Send + Sync {
    /// Takes one event. Those that somebody could repeat at will are counted, and written from time to time.
    fn record(&self, event: AuditEvent);

    /// Takes one denial of a call, on the thread of the call: a known one is only counted, and allocates nothing.
    fn denied(&self, denied: Denied<'_>);
}

/// An auditor that remembers nothing: for what runs without a host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetful;

impl Auditor for Forgetful {
    fn record(&self, _event: AuditEvent) {}

    fn denied(&self, _denied: Denied<'_>) {}
}

/// One call that was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied<'a> {
    /// The public key of the actor or provider that called.
    pub origin: &'a str,
    /// The contract or public key that it called, in its own words.
    pub target: &'a str,
    /// The operation, in its own words.
    pub operation: &'a str,
    /// Why.
    pub reason: DeniedBecause,
}

/// Why a call was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedBecause {
    /// The contract is not in its claims.
    Claims,
    /// The installed authorizer said no.
    Authorizer,
    /// A provider called an actor that is not linked to it.
    NotLinked,
    /// The claims have expired.
    Expired,
    /// An actor called what is neither an actor nor linked to it.
    NoTarget,
    /// Several reasons, in a record that stands for what did not get one of its own.
    Various,
}

impl From<Denial> for DeniedBecause {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Claims => Self::Claims,
            Denial::Authorizer => Self::Authorizer,
            Denial::NotLinked => Self::NotLinked,
            Denial::Expired => Self::Expired,
        }
    }
}

/// A short text of one line, whoever wrote it: longer ones are cut, and what deceives a reader is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Brief(String);

impl Brief {
    /// The longest that is kept, in bytes.
    pub const BYTES_MAX: usize = 256;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Brief {
    fn from(text: &str) -> Self {
        let mut brief = String::with_capacity(text.len().min(Self::BYTES_MAX));
        for c in text.chars().map(|c| if deceives(c) { '\u{fffd}' } else { c }) {
            if brief.len() + c.len_utf8() + '…'.len_utf8() > Self::BYTES_MAX && text.len() > Self::BYTES_MAX {
                brief.push('…');
                break;
            }
            brief.push(c);
        }
        // Replacing can make a text longer than it was.
        if brief.len() > Self::BYTES_MAX {
            return Self::from(&*brief);
        }
        Self(brief)
    }
}

impl From<String> for Brief {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl From<&String> for Brief {
    fn from(text: &String) -> Self {
        Self::from(&**text)
    }
}

/// The longest list of texts in an event. The rest is left out.
pub const BRIEFS_MAX: usize = 32;

/// What happened. The word of a kind and the names of its fields, once released, never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/audit.md has the table of all fields, and a test compares it with this")]
pub enum AuditEvent {
    /// The host has taken its state directory. `previous` is how the last one ended: `none`, `stopped` or `killed`.
    HostStarted {
        version: Brief,
        namespace: Brief,
        pid: u32,
        uid: u32,
        sandbox: Brief,
        trust: Vec<Brief>,
        previous: Brief,
    },
    /// The host ends in order; a start that failed does, too.
    HostStopped { why: Brief },
    /// An actor runs. `metered` is whether it is ended at the deadline of its calls.
    ActorStarted { actor: Brief, name: Brief, issuer: Brief, hash: Brief, image: Brief, metered: bool },
    /// An actor was not started. `actor` is empty where nobody vouches for a key.
    ActorRefused { actor: Brief, image: Brief, error: Brief, reason: Brief },
    /// An actor was stopped.
    ActorStopped { actor: Brief },
    /// A provider runs.
    ProviderStarted {
        provider: Brief,
        link: Brief,
        contract: Brief,
        name: Brief,
        issuer: Brief,
        hash: Brief,
        image: Brief,
    },
    /// A provider was not started.
    ProviderRefused { provider: Brief, link: Brief, image: Brief, error: Brief, reason: Brief },
    /// A provider was stopped.
    ProviderStopped { provider: Brief, link: Brief },
    /// A process of a provider ended, and did not do so as it was told. `pid` is none where none was ready to be loaded.
    ProviderCrashed { provider: Brief, link: Brief, generation: u64, pid: Option<u32>, cause: Brief, decision: Brief },
    /// A further process of a provider takes calls.
    ProviderRestarted { provider: Brief, link: Brief, generation: u64, pid: u32 },
    /// A provider is not started again by itself.
    ProviderHeld { provider: Brief, link: Brief, generation: u64, why: Brief },
    /// A link was set. `values` are the names of its values, and never these.
    LinkSet { actor: Brief, contract: Brief, link: Brief, provider: Brief, values: Vec<Brief> },
    /// A link was not set, or not accepted.
    LinkRefused { actor: Brief, contract: Brief, link: Brief, provider: Brief, error: Brief, reason: Brief },
    /// A link was removed.
    LinkRemoved { actor: Brief, contract: Brief, link: Brief, provider: Brief },
    /// Calls that were denied, `count` of them.
    Denied { origin: Brief, target: Brief, operation: Brief, reason: DeniedBecause, count: u64 },
    /// Something of the world was handed to a provider, `count` times: `want` is `listen`, `connect`, `file` and so on.
    Granted { provider: Brief, link: Brief, want: Brief, subject: Brief, count: u64 },
    /// A provider asked for something that it did not get.
    GrantRefused { provider: Brief, link: Brief, want: Brief, subject: Brief, reason: Brief, count: u64 },
    /// An operator said something over the control socket. `pid` is that of its process, where the system tells it.
    OperatorCommand { uid: u32, pid: Option<u32>, command: Brief, subject: Brief, count: u64 },
    /// Another user than the host's own, or root, connected to the control socket.
    OperatorRefused { uid: Option<u32>, count: u64 },
}

impl AuditEvent {
    /// The word of its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::HostStarted { .. } => "host_started",
            Self::HostStopped { .. } => "host_stopped",
            Self::ActorStarted { .. } => "actor_started",
            Self::ActorRefused { .. } => "actor_refused",
            Self::ActorStopped { .. } => "actor_stopped",
            Self::ProviderStarted { .. } => "provider_started",
            Self::ProviderRefused { .. } => "provider_refused",
            Self::ProviderStopped { .. } => "provider_stopped",
            Self::ProviderCrashed { .. } => "provider_crashed",
            Self::ProviderRestarted { .. } => "provider_restarted",
            Self::ProviderHeld { .. } => "provider_held",
            Self::LinkSet { .. } => "link_set",
            Self::LinkRefused { .. } => "link_refused",
            Self::LinkRemoved { .. } => "link_removed",
            Self::Denied { .. } => "denied",
            Self::Granted { .. } => "granted",
            Self::GrantRefused { .. } => "grant_refused",
            Self::OperatorCommand { .. } => "operator_command",
            Self::OperatorRefused { .. } => "operator_refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Brief;

    #[test]
    fn a_brief_text_is_short_and_plain() {
        let fits = "x".repeat(Brief::BYTES_MAX);
        let cut = format!("{}…", "x".repeat(Brief::BYTES_MAX - '…'.len_utf8()));
        let replaced = format!("{}…", "\u{fffd}".repeat((Brief::BYTES_MAX - 3) / 3));
        let cases = [
            ("", ""),
            ("a\nb\u{1b}[2J\u{202e}", "a\u{fffd}b\u{fffd}[2J\u{fffd}"),
            (&fits, &*fits),
            (&*format!("{fits}x"), &*cut),
            (&"\n".repeat(Brief::BYTES_MAX), &*replaced),
        ];
        for (text, expected) in cases {
            assert_eq!(Brief::from(text).as_str(), expected, "{text:?}");
        }
    }
}
