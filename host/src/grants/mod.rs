//! What one provider may have of the world: the rule, pure. It follows from three things and from nothing else:
//!
//! - what its signed archive states that it **needs**, which may be in terms of link values;
//! - the **grants** of the operator, in the manifest or through the host's API;
//! - the **values of the links** that are bound to it at the moment.
//!
//! | archive states | no grants | grants |
//! |---|---|---|
//! | nothing (those of the reference) | nothing | what is granted |
//! | needs | addresses that a bound link's values make of them | what is granted and needed |
//!
//! So an operator who sets a link value that the archive names has granted exactly that address, and a grant narrows it.
//! What an archive needs as it stands, without a link value in it, takes a grant. Nothing here opens anything, and the
//! values of links never leave it.

mod denial;
mod error;
mod needs;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cofferdam_claims::{NeededAccess, NeededPath, Needs};

pub use denial::Denial;
pub use error::AllowanceError;
pub use report::Line;

use crate::words::{
    Access, Address, AddressPattern, Cover, EnvGrant, Grants, NetworkGrant, PathGrant, SecretGrant, is_env_name,
    is_grant_name, needs_its_own_grant,
};
use needs::Stated;

/// Values of one link.
pub type Values = BTreeMap<String, String>;

/// The name of a provider's own directory, which needs no grant.
pub const STATE_DIR_NAME: &str = "state";

/// What stands at the end of a needed name for any ending.
const ANY: char = '*';

/// Entries of one kind, in needs and in grants: far below what a shim takes.
const ENTRIES_MAX: usize = 64;

/// What is done with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is listened on.
    Listen,
    /// It is connected to.
    Connect,
}

/// What a provider may have.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    stated: Option<StatedNeeds>,
    /// Of what is named, only what is needed, too.
    grants: Option<Grants>,
}

#[derive(Clone, Debug, Default)]
struct StatedNeeds {
    listen: Vec<Stated>,
    connect: Vec<Stated>,
    /// As they are, for people and for what goes by name.
    needs: Needs,
}

/// What is opened by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// A file.
    File(&'a PathGrant),
    /// A secret.
    Secret(&'a SecretGrant),
}

impl Act {
    /// The key of the manifest.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Connect => "connect",
        }
    }

    const fn doing(self) -> &'static str {
        match self {
            Self::Listen => "listening on",
            Self::Connect => "connecting to",
        }
    }
}

impl Allowance {
    /// Checks what is stated and what is granted. A grant by a name that the archive states no need of is an error: it
    /// would never be used, so it is a slip.
    pub fn new(needs: Option<&Needs>, grants: Option<Grants>) -> Result<Self, AllowanceError> {
        let stated = needs.map(StatedNeeds::new).transpose()?;
        let grants = grants.map(|grants| checked(grants, stated.as_ref().map(|stated| &stated.needs))).transpose()?;
        Ok(Self { stated, grants })
    }

    /// Whether an address may be listened on or connected to, while these links are bound.
    pub fn address<'a>(
        &self,
        act: Act,
        asked: &Address,
        links: impl Iterator<Item = &'a Values>,
    ) -> Result<Cover, Denial> {
        let needed = self.stated.as_ref().map(|stated| stated.covers(act, asked, links));
        let granted = self.grants.as_ref().map(|grants| best(act, patterns(grants, act), asked));
        match (needed, granted) {
            // The operator named the address by a link value.
            (Some(Some(Need::Linked)), None | Some(Some(_))) => Ok(Cover::Host),
            (Some(Some(Need::AsItStands)) | None, Some(Some(cover))) => Ok(cover),
            (Some(None), _) => Err(Denial::not_stated(act, asked, &self.stated_addresses(act))),
            (Some(Some(Need::AsItStands)) | None, None) | (Some(Some(_)) | None, Some(None)) => {
                Err(Denial::address(act, asked))
            }
        }
    }

    /// The file or secret of this name.
    pub fn named(&self, name: &str, access: Access) -> Result<Named<'_>, Denial> {
        let grants = self.grants.as_ref();
        if let Some(secret) = grants.and_then(|grants| grants.secret.iter().find(|secret| secret.name == name)) {
            return if access == Access::Read { Ok(Named::Secret(secret)) } else { Err(Denial::secret_is_read(name)) };
        }
        match grants.and_then(|grants| grants.file.iter().find(|file| file.name == name)) {
            Some(file) if access <= file.access => Ok(Named::File(file)),
            Some(_) => Err(Denial::file_is_read(name)),
            None => Err(Denial::name(name, access)),
        }
    }

    /// The directories that it finds in its root, beside its own.
    pub fn dirs(&self) -> &[PathGrant] {
        self.grants.as_ref().map_or(&[], |grants| &grants.dir)
    }

    /// The files that it may ask for.
    pub fn files(&self) -> &[PathGrant] {
        self.grants.as_ref().map_or(&[], |grants| &grants.file)
    }

    /// The variables of its environment.
    pub fn env(&self) -> &[EnvGrant] {
        self.grants.as_ref().map_or(&[], |grants| &grants.env)
    }

    /// The secrets that it may ask for.
    pub fn secrets(&self) -> &[SecretGrant] {
        self.grants.as_ref().map_or(&[], |grants| &grants.secret)
    }

    /// What it keeps of the host's network.
    pub fn network(&self) -> Option<&NetworkGrant> {
        self.grants.as_ref()?.network.as_ref()
    }

    /// What the archive states; none when it states nothing.
    pub fn needs(&self) -> Option<&Needs> {
        self.stated.as_ref().map(|stated| &stated.needs)
    }

    /// Whether there are grants, be they empty: then nothing beyond them is had.
    pub fn is_granted(&self) -> bool {
        self.grants.is_some()
    }

    /// What is granted of addresses, as it is written.
    pub fn granted_addresses(&self, act: Act) -> Vec<String> {
        self.grants.iter().flat_map(|grants| patterns(grants, act)).map(ToString::to_string).collect()
    }

    /// What is needed of addresses, as it is written: link values by their names.
    pub fn stated_addresses(&self, act: Act) -> Vec<String> {
        self.stated.iter().flat_map(|stated| stated.of(act)).map(ToString::to_string).collect()
    }

    /// What of it follows from link values, by their names.
    pub fn linked_addresses(&self, act: Act) -> Vec<String> {
        let stated = self.stated.iter().flat_map(|stated| stated.of(act));
        stated.filter(|stated| stated.is_linked()).map(ToString::to_string).collect()
    }
}

/// How an archive states the need of an address.
enum Need {
    /// By the values of a link.
    Linked,
    /// In its own words.
    AsItStands,
}

impl StatedNeeds {
    fn new(needs: &Needs) -> Result<Self, AllowanceError> {
        let Needs { listen, connect, dir, file, env, secret, network: _ } = needs;
        let read = |act, list: &[_]| list.iter().map(|needed| Stated::of(act, needed)).collect::<Result<Vec<_>, _>>();
        let counts = [listen.len(), connect.len(), dir.len(), file.len(), env.len(), secret.len()];
        if counts.into_iter().any(|count| count > ENTRIES_MAX) {
            return Err(AllowanceError::TooMany { max: ENTRIES_MAX });
        }
        dir.iter().try_for_each(|NeededPath { name, .. }| check_name(name))?;
        file.iter().try_for_each(|NeededPath { name, .. }| check_needed_name(name))?;
        secret.iter().try_for_each(|name| check_needed_name(name))?;
        env.iter().try_for_each(|name| check_env_name(name))?;
        let (listen, connect) = (read(Act::Listen, listen)?, read(Act::Connect, connect)?);
        Ok(Self { listen, connect, needs: needs.clone() })
    }

    fn of(&self, act: Act) -> &[Stated] {
        match act {
            Act::Listen => &self.listen,
            Act::Connect => &self.connect,
        }
    }

    fn covers<'a>(&self, act: Act, asked: &Address, links: impl Iterator<Item = &'a Values>) -> Option<Need> {
        let stated = self.of(act);
        let mut links = links;
        if links.any(|values| stated.iter().any(|stated| stated.by_link(act, values).as_ref() == Some(asked))) {
            return Some(Need::Linked);
        }
        stated.iter().any(|stated| stated.covers(asked)).then_some(Need::AsItStands)
    }
}

fn patterns(grants: &Grants, act: Act) -> &[AddressPattern] {
    match act {
        Act::Listen => &grants.listen,
        Act::Connect => &grants.connect,
    }
}

/// The closest way in which one of them covers it.
fn best(act: Act, patterns: &[AddressPattern], asked: &Address) -> Option<Cover> {
    let cover = patterns.iter().filter_map(|pattern| pattern.covers(asked)).max()?;
    // What a name leads to is seen when it is looked up.
    let is_spared = act == Act::Connect && asked.socket().is_some_and(|socket| needs_its_own_grant(socket.ip()));
    (cover == Cover::Host || !is_spared).then_some(cover)
}

/// The grants, with what is named narrowed to the need of it.
fn checked(mut grants: Grants, needs: Option<&Needs>) -> Result<Grants, AllowanceError> {
    let Grants { listen, connect, dir, file, env, secret, network } = &mut grants;
    let counts = [listen.len(), connect.len(), dir.len(), file.len(), env.len(), secret.len()];
    if counts.into_iter().any(|count| count > ENTRIES_MAX) {
        return Err(AllowanceError::TooMany { max: ENTRIES_MAX });
    }
    if let Some(NetworkGrant { bind, connect }) = network
        && bind.len().max(connect.len()) > ENTRIES_MAX
    {
        return Err(AllowanceError::TooMany { max: ENTRIES_MAX });
    }
    if let Some(pattern) = listen.iter().find(|pattern| pattern.is_of_names()) {
        return Err(AllowanceError::ListensOnName { address: pattern.to_string() });
    }
    unique(dir.iter().map(|dir| &*dir.name))?;
    if dir.iter().any(|dir| dir.name == STATE_DIR_NAME) {
        return Err(AllowanceError::Reserved { name: STATE_DIR_NAME.to_owned() });
    }
    // One space of names: both are opened as files.
    unique(file.iter().map(|file| &*file.name).chain(secret.iter().map(|secret| &*secret.name)))?;
    env.iter().try_for_each(|variable| check_env_name(&variable.name))?;
    unique_texts(env.iter().map(|variable| &*variable.name))?;
    let Some(needs) = needs else { return Ok(grants) };
    narrow("dir", dir, &needs.dir)?;
    narrow("file", file, &needs.file)?;
    stated("env", env.iter().map(|variable| &*variable.name), &needs.env)?;
    stated("secret", secret.iter().map(|secret| &*secret.name), &needs.secret)?;
    if network.is_some() && !needs.network {
        return Err(AllowanceError::NotStated { kind: "network", name: "ports".to_owned(), stated: Vec::new() });
    }
    Ok(grants)
}

fn narrow(kind: &'static str, grants: &mut [PathGrant], needs: &[NeededPath]) -> Result<(), AllowanceError> {
    for grant in grants {
        let Some(need) = needs.iter().find(|need| is_needed(&need.name, &grant.name)) else {
            let stated = needs.iter().map(|need| need.name.clone()).collect();
            return Err(AllowanceError::NotStated { kind, name: grant.name.clone(), stated });
        };
        if need.access == NeededAccess::Read {
            grant.access = Access::Read;
        }
    }
    Ok(())
}

fn stated<'a>(
    kind: &'static str,
    mut names: impl Iterator<Item = &'a str>,
    needs: &[String],
) -> Result<(), AllowanceError> {
    match names.find(|name| !needs.iter().any(|need| is_needed(need, name))) {
        None => Ok(()),
        Some(name) => Err(AllowanceError::NotStated { kind, name: name.to_owned(), stated: needs.to_vec() }),
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), AllowanceError> {
    let names: Vec<&str> = names.collect();
    names.iter().try_for_each(|name| check_name(name))?;
    unique_texts(names.into_iter())
}

fn unique_texts<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<(), AllowanceError> {
    let mut seen = BTreeSet::new();
    match names.find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => Err(AllowanceError::Twice { name: name.to_owned() }),
    }
}

fn check_name(name: &str) -> Result<(), AllowanceError> {
    if is_grant_name(name) { Ok(()) } else { Err(AllowanceError::BadName { name: name.to_owned() }) }
}

/// Of files and secrets, which are opened when they are asked for, any number may be needed: `tls-*` is every name that begins so.
fn check_needed_name(name: &str) -> Result<(), AllowanceError> {
    let begin = name.strip_suffix(ANY).unwrap_or(name);
    if is_grant_name(begin) { Ok(()) } else { Err(AllowanceError::BadName { name: name.to_owned() }) }
}

/// Whether what is granted under a name is what is needed under another. No name that is granted has a star.
fn is_needed(need: &str, granted: &str) -> bool {
    need.strip_suffix(ANY).map_or(need == granted, |begin| granted.starts_with(begin))
}

fn check_env_name(name: &str) -> Result<(), AllowanceError> {
    if is_env_name(name) { Ok(()) } else { Err(AllowanceError::BadEnvName { name: name.to_owned() }) }
}
