//! A token and the checks on it: the only place that makes a [`Verified`].
//!
//! A token is `header.claims.signature`, each base64url without padding, signed by the account in `iss`. Nothing in it is
//! believed before the signature was checked, except which key to check it with.

mod sign;

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wascap::jwt::{Claims, WascapEntity};

use crate::error::{Bearer, Check, ClaimsError, Fault, plain};
use crate::keys::KeyKind;
use crate::trust::Trust;

pub use sign::Validity;
pub(crate) use sign::sign;

/// A token larger than this is refused before it is decoded.
pub const TOKEN_BYTES_MAX: usize = 64 * 1024;

const ALGORITHM: &str = "Ed25519";

/// The kinds of metadata that a token can carry.
pub(crate) trait Metadata: Serialize + DeserializeOwned + WascapEntity {
    const BEARER: Bearer;
    const SUBJECT: KeyKind;
}

/// Claims that passed every check. Only this crate's `verify` functions make one, so to hold one is the proof.
#[derive(Debug, Clone)]
pub struct Verified<T> {
    file: String,
    bearer: Bearer,
    token: String,
    claims: Claims<T>,
    metadata: T,
}

/// The outcome of every check on one file, and its claims, which are **not** to be trusted unless all passed.
#[derive(Debug)]
pub struct Inspection<T> {
    /// The token as it stands in the file.
    pub token: String,
    /// What the token says.
    pub claims: Claims<T>,
    /// Every check in the order in which they are made, with its outcome.
    pub checks: Vec<(Check, Result<(), ClaimsError>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
}

/// A decoded token, of which nothing is known to be true.
#[derive(Debug, Clone)]
pub(crate) struct Decoded<T> {
    pub(crate) text: String,
    pub(crate) claims: Claims<T>,
    pub(crate) metadata: T,
}

/// What the checks need beside the token.
pub(crate) struct Scrutiny<'a> {
    pub(crate) file: &'a str,
    pub(crate) trust: &'a Trust,
    pub(crate) now: SystemTime,
}

impl<T> Verified<T> {
    /// The claims.
    pub fn claims(&self) -> &Claims<T> {
        &self.claims
    }

    /// The part of the claims that is about this actor or provider.
    pub fn metadata(&self) -> &T {
        &self.metadata
    }

    /// The token they were read from.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The public key of the actor (`M…`) or provider (`V…`).
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// The public key of the account that signed (`A…`).
    pub fn issuer(&self) -> &str {
        &self.claims.issuer
    }

    /// When the claims cease to be valid; `None` is never.
    pub fn expires(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.claims.expires?))
    }

    /// The file, as the caller of `verify` named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// That the claims are valid at another time: a long-running host asks again.
    pub fn check_time(&self, now: SystemTime) -> Result<(), ClaimsError> {
        check_expiry(self.bearer, &self.claims, now)
            .and_then(|()| check_not_before(self.bearer, &self.claims, now))
            .map_err(|fault| fault.on(&self.file))
    }

    /// That the claims are about this public key, as a live update or a manifest expects.
    pub fn check_subject(&self, expected: &str) -> Result<(), ClaimsError> {
        if self.subject() == expected {
            return Ok(());
        }
        let (found, expected) = (self.subject().to_owned(), expected.to_owned());
        Err(Fault::SubjectMismatch { bearer: self.bearer, found, expected }.on(&self.file))
    }
}

impl<T: Metadata> Decoded<T> {
    /// Takes a token apart. Checks its form and its algorithm, nothing else.
    pub(crate) fn parse(token: &[u8]) -> Result<Self, Fault> {
        let malformed = |why: String| Fault::Token { bearer: T::BEARER, why: plain(&why) };
        if token.len() > TOKEN_BYTES_MAX {
            return Err(malformed(format!("it has {} bytes, more than {TOKEN_BYTES_MAX}", token.len())));
        }
        let text = std::str::from_utf8(token).map_err(|_| malformed("it is not text".to_owned()))?;
        let [header, claims, _signature] = segments(text)
            .ok_or_else(|| malformed(format!("it must have three parts, not {}", text.split('.').count())))?;
        let header: Header = from_segment(header).map_err(|e| malformed(format!("header: {e}")))?;
        if header.alg != ALGORITHM {
            return Err(Fault::Algorithm { bearer: T::BEARER, found: plain(&header.alg) });
        }
        if header.typ != "jwt" {
            return Err(malformed("header: `typ` is not \"jwt\"".to_owned()));
        }
        let claims: Claims<T> = from_segment(claims).map_err(|e| malformed(format!("claims: {e}")))?;
        let Some(metadata) = claims.metadata.clone() else {
            return Err(malformed("claims: there is no `wascap` object".to_owned()));
        };
        Ok(Self { text: text.to_owned(), claims, metadata })
    }

    /// Makes the checks on the token in their order, then those on the content, and stops at the first failure.
    pub(crate) fn verify(
        self,
        scrutiny: &Scrutiny<'_>,
        content: &dyn Fn(&T, Check) -> Result<(), Fault>,
    ) -> Result<Verified<T>, ClaimsError> {
        let outcome = self.each_check(scrutiny, content, |_, outcome| match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(fault) => ControlFlow::Break(fault),
        });
        match outcome {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(Verified {
                file: scrutiny.file.to_owned(),
                bearer: T::BEARER,
                token: self.text,
                claims: self.claims,
                metadata: self.metadata,
            }),
        }
    }

    /// Makes every check and lists the outcomes.
    pub(crate) fn inspect(
        self,
        scrutiny: &Scrutiny<'_>,
        content: &dyn Fn(&T, Check) -> Result<(), Fault>,
    ) -> Inspection<T> {
        let mut checks = Vec::new();
        let _: ControlFlow<()> = self.each_check(scrutiny, content, |check, outcome| {
            checks.push((check, outcome));
            ControlFlow::Continue(())
        });
        Inspection { token: self.text, claims: self.claims, checks }
    }

    fn each_check<B>(
        &self,
        scrutiny: &Scrutiny<'_>,
        content: &dyn Fn(&T, Check) -> Result<(), Fault>,
        mut outcome_of: impl FnMut(Check, Result<(), ClaimsError>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let of_token = [Check::Keys, Check::Signature, Check::Expiry, Check::NotBefore, Check::Issuer];
        let of_content: &[Check] = match T::BEARER {
            Bearer::Actor => &[Check::Hash],
            Bearer::Provider => &[Check::Files, Check::Hash, Check::Contract],
        };
        for check in of_token {
            outcome_of(check, self.check(check, scrutiny).map_err(|fault| fault.on(scrutiny.file)))?;
        }
        for &check in of_content {
            outcome_of(check, content(&self.metadata, check).map_err(|fault| fault.on(scrutiny.file)))?;
        }
        ControlFlow::Continue(())
    }

    fn check(&self, check: Check, scrutiny: &Scrutiny<'_>) -> Result<(), Fault> {
        let claims = &self.claims;
        match check {
            Check::Keys => {
                check_key::<T>("issuer", KeyKind::Account, &claims.issuer)?;
                check_key::<T>("subject", T::SUBJECT, &claims.subject)
            }
            Check::Expiry => check_expiry(T::BEARER, claims, scrutiny.now),
            Check::NotBefore => check_not_before(T::BEARER, claims, scrutiny.now),
            Check::Issuer if scrutiny.trust.accepts(&claims.issuer) => Ok(()),
            Check::Issuer => Err(Fault::Untrusted { bearer: T::BEARER, issuer: plain(&claims.issuer) }),
            // Anything else is the signature: a check that is not known here must not pass.
            _ => self.check_signature(),
        }
    }

    fn check_signature(&self) -> Result<(), Fault> {
        let valid = || {
            let (signed, signature) = self.text.rsplit_once('.')?;
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
            let issuer = KeyPair::from_public_key(&self.claims.issuer).ok()?;
            issuer.verify(signed.as_bytes(), &signature).ok()
        };
        valid().ok_or_else(|| Fault::Signature { bearer: T::BEARER, issuer: plain(&self.claims.issuer) })
    }
}

fn check_key<T: Metadata>(role: &'static str, kind: KeyKind, key: &str) -> Result<(), Fault> {
    kind.check(key).map_err(|source| Fault::WrongKey { bearer: T::BEARER, role, source })
}

fn check_expiry<T>(bearer: Bearer, claims: &Claims<T>, now: SystemTime) -> Result<(), Fault> {
    let now_s = since_epoch_s(now);
    match claims.expires {
        Some(expires_s) if now_s >= expires_s => Err(Fault::Expired { bearer, expires_s, now_s }),
        _ => Ok(()),
    }
}

fn check_not_before<T>(bearer: Bearer, claims: &Claims<T>, now: SystemTime) -> Result<(), Fault> {
    let now_s = since_epoch_s(now);
    match claims.not_before {
        Some(not_before_s) if now_s < not_before_s => Err(Fault::NotYetValid { bearer, not_before_s, now_s }),
        _ => Ok(()),
    }
}

fn segments(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.split('.');
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

fn from_segment<V: DeserializeOwned>(segment: &str) -> Result<V, String> {
    let json = BASE64URL_NOPAD.decode(segment.as_bytes()).map_err(|e| e.to_string())?;
    serde_json::from_slice(&json).map_err(|e| e.to_string())
}

fn since_epoch_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
