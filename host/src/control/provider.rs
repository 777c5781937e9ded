//! What an operator may ask of one provider, as it stands in its line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::protocol::{ErrorReport, NAME_BYTES_MAX, peer_error};

/// The longest that whoever asks may wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// What is to be done, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderRequest {
    /// What.
    pub act: ProviderAct,
    /// The provider's public key, its name, or where it came from.
    pub provider: String,
    /// The link name it runs under, where that is needed to tell it from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// How long to wait until it is done.
    pub timeout_ms: u64,
}

/// What can be done to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderAct {
    /// Drain it and start another process; ends a hold, too.
    Restart,
    /// Drain it and forget it, but for its links.
    Stop,
    /// Drain it and keep it from running until it is released.
    Hold,
    /// Start it if it is held.
    Release,
}

/// The request as it stands in its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderLine {
    #[serde(rename = "v")]
    _v: u32,
    #[serde(rename = "op")]
    _op: String,
    act: ProviderAct,
    provider: String,
    link: Option<String>,
    timeout_ms: u64,
}

impl ProviderAct {
    /// The word on the wire and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }
}

impl ProviderRequest {
    /// How long to wait.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl TryFrom<ProviderLine> for ProviderRequest {
    type Error = ErrorReport;

    fn try_from(line: ProviderLine) -> Result<Self, ErrorReport> {
        let ProviderLine { act, provider, link, timeout_ms, .. } = line;
        let request = Self { act, provider, link, timeout_ms };
        if request.timeout().is_zero() || request.timeout() > TIMEOUT_MAX {
            let message = format!("one may wait from 1 ms to {TIMEOUT_MAX:?}, not {:?}", request.timeout());
            return Err(peer_error("malformed_request", message, "give another time-out"));
        }
        let lengths = [&request.provider, request.link.as_ref().unwrap_or(&String::new())].map(|name| name.len());
        if let Some(bytes) = lengths.into_iter().find(|bytes| *bytes > NAME_BYTES_MAX) {
            let message = format!("a name has {bytes} bytes, more than the {NAME_BYTES_MAX} allowed");
            return Err(peer_error("malformed_request", message, "give a shorter name"));
        }
        Ok(request)
    }
}
