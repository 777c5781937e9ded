//! What an actor and a provider say of themselves: the `wascap` object of their tokens.
//!
//! The types are our own, because wascap dropped `caps` and `capid` after 0.13 and the host decides by both. Field names
//! on the wire and their order are those of wascap 0.6, so that a token made here reads alike everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wascap::jwt::WascapEntity;

use crate::needs::Needs;

/// What an actor says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorMetadata {
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Upper-case hex SHA-256 of the module without the token's section.
    #[serde(rename = "hash")]
    pub module_hash: String,
    /// Free words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The contracts that the actor may call, for example `wasmcloud:keyvalue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<Vec<String>>,
    /// The revision; a live update needs a greater one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<i32>,
    /// The version for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ver: Option<String>,
    /// A name by which other actors can call this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_alias: Option<String>,
    /// Whether the module is itself a provider. Never true of what we sign, unless asked.
    #[serde(default)]
    pub prov: bool,
}

/// What a provider says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderMetadata {
    /// The name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The contract that the provider serves. Empty in archives of the later ecosystem, which have none; verifying
    /// such an archive fails.
    #[serde(default)]
    pub capid: String,
    /// Who makes it.
    #[serde(default)]
    pub vendor: String,
    /// The revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<i32>,
    /// The version for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ver: Option<String>,
    /// By target (`x86_64-linux`), the upper-case hex SHA-256 of its library.
    pub target_hashes: BTreeMap<String, String>,
    /// What the provider needs of the world. Our own: archives of others state nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
}

impl ActorMetadata {
    /// The contracts that the actor may call; none, when it names none.
    pub fn capabilities(&self) -> &[String] {
        self.caps.as_deref().unwrap_or_default()
    }

    /// Whether the actor may call this contract.
    pub fn has_capability(&self, contract_id: &str) -> bool {
        self.capabilities().iter().any(|cap| cap == contract_id)
    }
}

impl WascapEntity for ActorMetadata {
    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| "Unnamed".to_owned())
    }
}

impl WascapEntity for ProviderMetadata {
    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| "Unnamed Provider".to_owned())
    }
}

/// The form in which a call alias is stored and looked up: trimmed, lower case, ASCII only, and `_` for space, `-`, `.`.
pub fn normalize_call_alias(alias: &str) -> String {
    let lower = alias.to_lowercase();
    let plain = lower.trim().chars().filter(char::is_ascii);
    plain.map(|c| if matches!(c, ' ' | '-' | '.') { '_' } else { c }).collect()
}
