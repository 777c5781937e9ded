//! Who takes part in an invocation, and the keys under which the host keeps them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DEFAULT_LINK_NAME, SYSTEM_ACTOR};

/// A party of an invocation: an actor by public key, or a provider by public key, contract and link name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WasmCloudEntity {
    /// An actor, by its 56-character public key (`M…`), or `"system"` for the host itself.
    Actor(String),
    /// A provider under one link name.
    Capability {
        /// The provider's public key (`V…`).
        id: String,
        /// The contract it provides, such as `wasmcloud:keyvalue`.
        contract_id: String,
        /// The link name it runs under.
        link_name: String,
    },
}

impl WasmCloudEntity {
    /// The host itself, as the origin of a call.
    pub fn system() -> Self {
        Self::Actor(SYSTEM_ACTOR.to_owned())
    }

    /// The public key of the actor or provider.
    pub fn public_key(&self) -> &str {
        match self {
            Self::Actor(public_key) => public_key,
            Self::Capability { id, .. } => id,
        }
    }

    /// The `wasmbus://` URL of the reference.
    pub fn url(&self) -> String {
        let slug = |text: &str| text.replace(' ', "_").to_lowercase();
        match self {
            Self::Actor(public_key) => format!("wasmbus://{public_key}"),
            Self::Capability { id, contract_id, link_name } => {
                format!("wasmbus://{}/{}/{id}", slug(&contract_id.replace(':', "/")), slug(link_name))
            }
        }
    }
}

impl fmt::Display for WasmCloudEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(public_key) => write!(f, "actor {public_key}"),
            Self::Capability { id, contract_id, link_name } => {
                write!(f, "provider {id} ({contract_id}, link {link_name})")
            }
        }
    }
}

/// What a running provider is kept under: one process for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProviderKey {
    /// The provider's public key.
    pub id: String,
    /// The link name it runs under.
    pub link_name: String,
}

impl ProviderKey {
    /// A blank or absent link name means [`DEFAULT_LINK_NAME`].
    pub fn new(id: impl Into<String>, link_name: Option<&str>) -> Self {
        Self { id: id.into(), link_name: link_name_or_default(link_name) }
    }
}

impl fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (link {})", self.id, self.link_name)
    }
}

/// What a link is kept under: an actor reaches one provider for a contract and link name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkKey {
    /// The actor's public key.
    pub actor: String,
    /// The contract it calls.
    pub contract_id: String,
    /// The link name, which the actor gives as the binding of its call.
    pub link_name: String,
}

impl LinkKey {
    /// A blank or absent link name means [`DEFAULT_LINK_NAME`].
    pub fn new(actor: impl Into<String>, contract_id: impl Into<String>, link_name: Option<&str>) -> Self {
        Self { actor: actor.into(), contract_id: contract_id.into(), link_name: link_name_or_default(link_name) }
    }
}

fn link_name_or_default(link_name: Option<&str>) -> String {
    match link_name.map(str::trim) {
        None | Some("") => DEFAULT_LINK_NAME.to_owned(),
        Some(name) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_the_reference() {
        let provider = WasmCloudEntity::Capability {
            id: "VABC".into(),
            contract_id: "wasmcloud:Key Value".into(),
            link_name: "My Link".into(),
        };
        assert_eq!(provider.url(), "wasmbus://wasmcloud/key_value/my_link/VABC");
        assert_eq!(WasmCloudEntity::Actor("MABC".into()).url(), "wasmbus://MABC");
    }

    #[test]
    fn a_blank_link_name_is_the_default() {
        for blank in [None, Some(""), Some("  ")] {
            assert_eq!(ProviderKey::new("V", blank).link_name, "default");
        }
    }
}
