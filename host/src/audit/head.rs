//! Signed heads: the host's word that its log had so many records, and that they were these. Pure.
//!
//! ```text
//! cofferdam-audit-head:1:NHOST…:SEQ:HASH:SIGNATURE
//! ```
//! One word that can be kept in a file, a ticket or another machine's log. The signature (Ed25519, in base64 for URLs,
//! without padding) is of the text before its colon. As every record holds the hash of the one before, a head signs them
//! all.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cofferdam_claims::{KeyError, KeyKind, KeyPair};

use super::record::{RecordHash, Tip};

/// What every head begins with: no other text that a host signs does.
const PREFIX: &str = "cofferdam-audit-head:1:";

/// A head is shorter than this.
const TEXT_BYTES_MAX: usize = 512;

/// A head of the host that signed it. Its signature is checked by [`SignedHead::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    host: String,
    tip: Tip,
    signature: Vec<u8>,
}

/// Why a text is no head, or not the head of this host.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// It is something else.
    #[error("it is no signed head: {0}")]
    Malformed(&'static str),
    /// Its host is no host.
    #[error("it is no signed head: {0}")]
    Key(#[source] KeyError),
    /// Another host made it.
    #[error("it is a head of the host {found}, not of {expected}")]
    OtherHost {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// Nobody who has the host's key made it.
    #[error("its signature is not that of the host {host}")]
    Signature {
        /// Who is said to have signed.
        host: String,
    },
    /// The key can't sign.
    #[error("the host's key cannot sign: {0}")]
    CannotSign(String),
}

impl SignedHead {
    /// Signs the end of a chain.
    pub(super) fn sign(key: &KeyPair, tip: Tip) -> Result<Self, HeadError> {
        let mut head = Self { host: key.public_key(), tip, signature: Vec::new() };
        head.signature =
            key.sign(head.signed_text().as_bytes()).map_err(|error| HeadError::CannotSign(error.to_string()))?;
        Ok(head)
    }

    /// Reads one. Nothing is known of its signature yet.
    pub fn parse(text: &str) -> Result<Self, HeadError> {
        let malformed = HeadError::Malformed;
        let text = Some(text.trim()).filter(|text| text.len() <= TEXT_BYTES_MAX).ok_or(malformed("it is too long"))?;
        let rest = text.strip_prefix(PREFIX).ok_or(malformed("it does not begin with cofferdam-audit-head:1:"))?;
        let parts: Vec<&str> = rest.split(':').collect();
        let [host, seq, hash, signature] = *parts else { return Err(malformed("it has not six parts")) };
        KeyKind::Host.check(host).map_err(HeadError::Key)?;
        let is_plain = |seq: &&str| seq.bytes().all(|b| b.is_ascii_digit()) && !seq.starts_with('0');
        let seq = Some(seq).filter(is_plain).and_then(|seq| seq.parse().ok()).ok_or(malformed("it has no number"))?;
        let hash = RecordHash::parse(hash.as_bytes()).ok_or(malformed("it has no hash"))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed("it has no signature"))?;
        Ok(Self { host: host.to_owned(), tip: Tip { seq, hash }, signature })
    }

    /// That this host made it.
    pub fn check(&self, host: &str) -> Result<(), HeadError> {
        if self.host != host {
            return Err(HeadError::OtherHost { found: self.host.clone(), expected: host.to_owned() });
        }
        let forged = || HeadError::Signature { host: self.host.clone() };
        let key = KeyPair::from_public_key(&self.host).map_err(|_| forged())?;
        key.verify(self.signed_text().as_bytes(), &self.signature).map_err(|_| forged())
    }

    /// Who is said to have signed.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The record that it signs.
    pub fn tip(&self) -> Tip {
        self.tip
    }

    fn signed_text(&self) -> String {
        format!("{PREFIX}{}:{}:{}", self.host, self.tip.seq, self.tip.hash)
    }
}

impl fmt::Display for SignedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.signed_text(), URL_SAFE_NO_PAD.encode(&self.signature))
    }
}
