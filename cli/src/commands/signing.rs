//! What signing an actor and signing a provider have in common: when the claims are valid, and whom to trust.

use std::time::{Duration, SystemTime};

use cofferdam_claims::{Trust, Validity};

use crate::failure::{Exit, Failure};
use crate::inputs;

/// When claims are valid.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidityArgs {
    /// How long the claims are valid, such as 30d [default: for ever]
    #[arg(long, value_parser = inputs::duration, value_name = "TIME")]
    expires_in: Option<Duration>,
    /// When the claims are made, in seconds since 1970; the same claims at the same time give the same bytes
    /// [default: now]
    #[arg(long, value_parser = inputs::seconds_since_1970, value_name = "SECONDS")]
    issued_at: Option<SystemTime>,
}

/// Whom to believe.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// An account (A…) whose signature is accepted; repeat it for more [default: any account]
    #[arg(long, value_name = "ACCOUNT")]
    trust: Vec<String>,
}

impl ValidityArgs {
    /// The times themselves.
    pub(crate) fn validity(&self) -> Result<Validity, Failure> {
        let issued_at = self.issued_at.unwrap_or_else(SystemTime::now);
        let expires = match self.expires_in {
            None => None,
            Some(time) => Some(issued_at.checked_add(time).ok_or_else(|| {
                Failure::new(Exit::Usage, "usage", "--expires-in is too long", "leave it out for claims without end")
            })?),
        };
        Ok(Validity { not_before: None, expires, issued_at: Some(issued_at) })
    }
}

impl TrustArgs {
    /// The trusted accounts. None given trusts any, which the caller says.
    pub(crate) fn trust(&self) -> Result<Trust, Failure> {
        if self.trust.is_empty() { Ok(Trust::Any) } else { Ok(Trust::only(self.trust.iter().cloned())?) }
    }
}
