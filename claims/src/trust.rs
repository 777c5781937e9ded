//! Whom we believe: the accounts whose signature makes an actor or a provider acceptable.

use std::collections::BTreeSet;

use crate::keys::{KeyError, KeyKind};

/// Some accounts, each by a public key (`A…`) whose checksum is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts(BTreeSet<String>);

impl Accounts {
    /// These accounts; each must be an account's public key.
    pub fn new<K: Into<String>>(accounts: impl IntoIterator<Item = K>) -> Result<Self, KeyError> {
        let accounts: BTreeSet<String> = accounts.into_iter().map(Into::into).collect();
        accounts.iter().try_for_each(|account| KeyKind::Account.check(account))?;
        Ok(Self(accounts))
    }

    /// Whether this account is among them.
    pub fn contains(&self, account: &str) -> bool {
        self.0.contains(account)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The trusted issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Any account: the signature then proves only that nothing was changed since *someone* signed. The host says so
    /// loudly.
    Any,
    /// Only these accounts (`A…`). An empty set trusts nobody.
    Only(BTreeSet<String>),
}

impl From<Accounts> for Trust {
    fn from(Accounts(accounts): Accounts) -> Self {
        Self::Only(accounts)
    }
}

impl Trust {
    /// Trusts these accounts only; each must be an account's public key.
    pub fn only<K: Into<String>>(accounts: impl IntoIterator<Item = K>) -> Result<Self, KeyError> {
        Accounts::new(accounts).map(Self::from)
    }

    /// Whether this issuer is trusted.
    pub fn accepts(&self, issuer: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(accounts) => accounts.contains(issuer),
        }
    }
}
