//! What one process of a provider has been handed and the host can take back: its listeners. And what it was denied.
//!
//! The host keeps a duplicate of each listener, and takes it back by `shutdown`, which ends it for every holder. A
//! duplicate keeps the address taken when the provider closes its own: so one that no link or grant gives any more is
//! dropped as soon as that is known, and asking for the same address again takes the earlier one back. Of connections no
//! duplicate is kept, for it would keep them open after the provider has closed them; they end with the process.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_channel::protocol::control::Refusal;
use nix::sys::socket::{Shutdown, shutdown};
use parking_lot::Mutex;

use super::authority::Authority;
use crate::grants::{Act, Denial};
use crate::words::Address;

/// Listeners of one process.
const LISTENERS_MAX: usize = 128;

/// Denials that are logged for one process, each once; the audit log counts them all.
const DENIALS_LOGGED_MAX: usize = 64;

/// What one process has been handed.
#[derive(Default)]
pub(super) struct Handed {
    listeners: Mutex<Listeners>,
    denials: Mutex<Denials>,
}

#[derive(Default)]
struct Listeners {
    /// Nothing is handed out any more.
    closed: bool,
    all: Vec<Listener>,
}

struct Listener {
    asked: Address,
    socket: TcpListener,
}

#[derive(Default)]
struct Denials {
    logged: BTreeSet<String>,
    /// The last one that nobody was told of yet but the provider.
    untold: Option<String>,
}

impl Handed {
    /// Makes room for a listener: takes back what is in its way and not given any more, and an earlier one like it.
    pub(super) fn make_way(&self, asked: &Address, authority: &Authority) {
        if asked.port == 0 {
            return;
        }
        let in_the_way = |listener: &Listener| {
            let other = &listener.asked;
            other == asked || (other.port == asked.port && authority.address(Act::Listen, other).is_err())
        };
        self.take_back(in_the_way);
    }

    /// Keeps a duplicate of a listener, and returns what the provider gets.
    pub(super) fn listener(&self, asked: &Address, socket: TcpListener) -> Result<OwnedFd, (Refusal, String)> {
        let failed = |why: String| (Refusal::Failed, format!("listening on {asked}: {why}"));
        let given = socket.try_clone().map_err(|error| failed(error.to_string()))?;
        let mut listeners = self.listeners.lock();
        if listeners.closed {
            return Err(failed("the process is ending".to_owned()));
        }
        if listeners.all.len() >= LISTENERS_MAX {
            return Err(failed(format!("it has {LISTENERS_MAX} listeners already")));
        }
        listeners.all.push(Listener { asked: asked.clone(), socket });
        Ok(given.into())
    }

    /// Takes back what no link and no grant gives any more.
    pub(super) fn review(&self, authority: &Authority) {
        self.take_back(|listener| authority.address(Act::Listen, &listener.asked).is_err());
    }

    /// Takes everything back, and hands nothing out any more.
    pub(super) fn close(&self) {
        self.listeners.lock().closed = true;
        self.take_back(|_| true);
    }

    fn take_back(&self, is_over: impl Fn(&Listener) -> bool) {
        let gone: Vec<Listener> = self.listeners.lock().all.extract_if(.., |listener| is_over(listener)).collect();
        for Listener { socket, .. } in gone {
            // Whoever holds the other duplicate finds it ended. One that failed before has nothing to end.
            let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
        }
    }

    /// Where it listens, by the kernel's word.
    pub(super) fn listeners(&self) -> Vec<String> {
        let listeners = self.listeners.lock();
        listeners.all.iter().filter_map(|listener| Some(listener.socket.local_addr().ok()?.to_string())).collect()
    }

    /// Something was denied: logged once, and kept for whoever hears next from the provider that it failed.
    pub(super) fn denied(&self, denial: &Denial, authority: &Authority) {
        let mut denials = self.denials.lock();
        denials.untold = Some(denial.to_string());
        let what = denial.what();
        if denials.logged.len() < DENIALS_LOGGED_MAX && denials.logged.insert(what.to_owned()) {
            tracing::warn!(provider = %authority.key(), %denial, "denied");
        }
    }

    /// What was denied since the last time this was asked.
    pub(super) fn take_denial(&self) -> Option<String> {
        self.denials.lock().untold.take()
    }
}
