//! Whom we believe: the accounts whose signature makes an actor or a provider acceptable.

use std::collections::BTreeSet;

use crate::keys::{KeyError, KeyKind};

/// The trusted issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Any account: the signature then proves only that nothing was changed since *someone* signed. The host says so
    /// loudly.
    Any,
    /// Only these accounts (`A…`). An empty set trusts nobody.
    Only(BTreeSet<String>),
}

impl Trust {
    /// Trusts these accounts only; each must be an account's public key.
    pub fn only<K: Into<String>>(accounts: impl IntoIterator<Item = K>) -> Result<Self, KeyError> {
        let accounts: BTreeSet<String> = accounts.into_iter().map(Into::into).collect();
        accounts.iter().try_for_each(|account| KeyKind::Account.check(account))?;
        Ok(Self::Only(accounts))
    }

    /// Whether this issuer is trusted.
    pub fn accepts(&self, issuer: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(accounts) => accounts.contains(issuer),
        }
    }
}
