//! The provider of `wasmcloud:keyvalue`: values, counters, lists and sets, on disk or in memory.
//!
//! # Link values
//!
//! | name | meaning | default |
//! |---|---|---|
//! | `DB` | the database, `[A-Za-z0-9_-]{1,64}`, a file in the provider's state directory; links that name the same one share it | `default` |
//! | `MEMORY` | `true`: keep everything in memory, for this link alone, until the link or the process is gone | `false` |
//!
//! Others are ignored, with a warning in the log.
//!
//! # What it promises
//!
//! * A write is answered after its commit is synced: nothing acknowledged is lost by `kill -9` or power. All writes that
//!   wait share one commit.
//! * A read sees the last commit, so an actor reads what it wrote.
//! * An operation that is refused changes nothing.
//! * When the disk fails or is full, the call says so; the database is opened again, at most once a second, by the next
//!   calls. What one in memory held is gone with it.
//!
//! # Operations
//!
//! The shapes are those of crate `wasmcloud-actor-keyvalue` 0.2.2; what they do is what the reference's provider did on
//! Redis, but for what is marked.
//!
//! | operation | does |
//! |---|---|
//! | `Get` | the value; `exists: false` when there is none. Of a list or set: an error (*the reference said that it did not exist*) |
//! | `Set` | sets, whatever the key held; gone after `expires` seconds, 0 is never (*the reference ignored `expires`*) |
//! | `Add` | adds to an integer, from 0 when there is none; keeps its expiry. Beyond 32 bits: an error, nothing changed |
//! | `Del`, `Clear` | removes whatever the key holds; answers with the key, also when it held nothing |
//! | `Push` | puts an item at the *left* of a list (`LPUSH`); answers with the new length |
//! | `Range` | items from `start` to `stop`, both included, from the left; negative ones count from the right |
//! | `ListItemDelete` | removes every equal item (`LREM 0`); answers with how many |
//! | `SetAdd`, `SetRemove` | a member comes or goes; answers with 1, or 0 when nothing changed |
//! | `SetQuery`, `SetUnion`, `SetIntersection` | members, sorted by their bytes. A key that holds nothing is an empty set |
//! | `KeyExists` | whether the key holds anything |
//!
//! # Limits
//!
//! Keys 64 KiB; values and answers by the host's payload limit; 1024 keys a union; 2^31-1 items a list; 1024 waiting
//! writes; 32 open databases of 16 MiB cache each.
#![deny(unsafe_code)]

mod contract;
mod databases;
mod error;
mod limits;
mod operation;
mod settings;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use cofferdam_provider::{Call, Failure, Host, Level, Link, Provider, Reply};

use crate::databases::{Databases, Shared};
use crate::operation::Operation;
use crate::settings::Place;
use crate::store::Store;

/// The provider: which actor uses which store.
#[derive(Debug)]
pub struct KeyValue {
    host: Host,
    databases: Databases,
    links: RwLock<HashMap<String, Bound>>,
}

#[derive(Debug)]
struct Bound {
    place: Place,
    database: Arc<Shared>,
}

impl Provider for KeyValue {
    const NAME: &'static str = concat!("keyvalue ", env!("CARGO_PKG_VERSION"));
    /// Callers wait for the disk together: the more at once, the more share a commit.
    const CONCURRENCY: u32 = 64;

    fn create(host: Host) -> Result<Self, Failure> {
        Ok(Self { host, databases: Databases::new(host), links: RwLock::default() })
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        let place = Place::of(link)?;
        for name in settings::unknown(link) {
            self.host.log(Level::WARN, &format!("the link value {name:?} of {} means nothing here", link.actor()));
        }
        let is_the_same = |bound: &Bound| bound.place == place;
        if self.links.read().unwrap_or_else(PoisonError::into_inner).get(link.actor()).is_some_and(is_the_same) {
            return Ok(());
        }
        // Opening may wait for another process, closing for a commit: neither under the lock.
        let bound = Bound { database: self.databases.open(&place)?, place };
        let earlier = self.links.write().unwrap_or_else(PoisonError::into_inner).insert(link.actor().to_owned(), bound);
        drop(earlier);
        Ok(())
    }

    fn unbind(&self, actor: &str) {
        let gone = self.links.write().unwrap_or_else(PoisonError::into_inner).remove(actor);
        // Closing a database waits for its last commit, so not under the lock.
        drop(gone);
    }

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        let operation = Operation::decode(call.operation(), call.payload())?;
        let store = self.store_of(call.actor())?;
        let answer = store.run(operation, call.time_left())?;
        reply.write(&rmp_serde::to_vec_named(&answer)?)
    }

    fn health(&self) -> Result<(), Failure> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        match links.values().find(|bound| !bound.database.is_working()) {
            Some(bound) => Err(Failure::new(format!("the database {:?} has failed", bound.place))),
            None => Ok(()),
        }
    }
}

impl KeyValue {
    fn store_of(&self, actor: &str) -> Result<Arc<Store>, Failure> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        let bound = links.get(actor).ok_or_else(|| Failure::new(format!("no link of {actor} is bound here")))?;
        let database = Arc::clone(&bound.database);
        // Opening again may wait: not under the lock.
        drop(links);
        Ok(database.store()?)
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::KeyValue);
}
pub use exported::cofferdam_provider_v1;
