//! Making tokens. The same claims, keys and time give the same bytes.

use std::time::SystemTime;

use data_encoding::BASE32_NOPAD;
use nkeys::KeyPair;
use sha2::{Digest, Sha256};
use wascap::jwt::Claims;

use super::{Decoded, Metadata, TOKEN_BYTES_MAX, since_epoch_s};
use crate::error::Fault;
use crate::keys::{self, KeyKind};

/// What we write as `wascap_revision`: from 3 on, wascap checks the module hash.
const WASCAP_REVISION: u32 = 3;

/// When a token is valid, and when it was made. `None` is "always", and "now" for `issued_at`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validity {
    /// From when on. In whole seconds.
    pub not_before: Option<SystemTime>,
    /// Until when: at this second it has expired.
    pub expires: Option<SystemTime>,
    /// When it was made. Signing the same with the same time gives the same bytes.
    pub issued_at: Option<SystemTime>,
}

/// Makes a signed token.
pub(crate) fn sign<T: Metadata>(
    metadata: T,
    validity: &Validity,
    issuer: &KeyPair,
    subject: &KeyPair,
) -> Result<Decoded<T>, Fault> {
    let wrong = |role, source| Fault::WrongKey { bearer: T::BEARER, role, source };
    keys::check_signer(issuer, KeyKind::Account).map_err(|source| wrong("issuer", source))?;
    T::SUBJECT.check(&subject.public_key()).map_err(|source| wrong("subject", source))?;

    let failed = |why: String| Fault::Unsignable { bearer: T::BEARER, why };
    let seconds = |time: Option<SystemTime>| time.map(since_epoch_s);
    let issued_at_s = since_epoch_s(validity.issued_at.unwrap_or_else(SystemTime::now));
    let mut claims = serde_json::json!({
        "iat": issued_at_s,
        "iss": issuer.public_key(),
        "sub": subject.public_key(),
        "nbf": seconds(validity.not_before),
        "exp": seconds(validity.expires),
        "wascap": serde_json::to_value(&metadata).map_err(|e| failed(e.to_string()))?,
        "wascap_revision": WASCAP_REVISION,
    });
    // The id must differ between different claims and nothing more, so it is taken from them.
    let id = BASE32_NOPAD.encode(&Sha256::digest(claims.to_string())[..15]);
    claims["jti"] = serde_json::Value::String(id);

    // `wascap_revision` is private to wascap, hence the way by JSON.
    let claims: Claims<T> = serde_json::from_value(claims).map_err(|e| failed(e.to_string()))?;
    let text = claims.encode(issuer).map_err(|e| failed(e.to_string()))?;
    if text.len() > TOKEN_BYTES_MAX {
        return Err(failed(format!("the token would have {} bytes, more than {TOKEN_BYTES_MAX}", text.len())));
    }
    Ok(Decoded { text, claims, metadata })
}
