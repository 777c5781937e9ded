//! What the threads share, and what is answered whichever way a call comes.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use cofferdam_channel::Server;
use cofferdam_faults::{Fault, Stage};

use crate::lanes::Lanes;
use crate::orders::Orders;

/// What the threads share.
pub(crate) struct World {
    /// What is said on the control socket, by one at a time.
    pub(crate) control: Mutex<UnixStream>,
    pub(crate) up: UnixStream,
    pub(crate) down: UnixStream,
    /// Where calls go instead of there, if the host has it so.
    pub(crate) lanes: Option<Lanes>,
    pub(crate) crash: File,
    pub(crate) library: OwnedFd,
    pub(crate) orders: Orders,
    /// What takes calls from lanes.
    pub(crate) server: OnceLock<Server>,
    pub(crate) history: History,
}

/// What has come to pass.
#[derive(Default)]
pub(crate) struct History {
    begun: AtomicBool,
    done: AtomicBool,
    lingering: Mutex<Lingering>,
    ended: Condvar,
}

/// Calls that wait for the end.
#[derive(Default)]
pub(crate) struct Lingering {
    /// What is going to be sent for those that came on the socket.
    pub(crate) frames: Vec<Vec<u8>>,
    /// Those that came in lanes.
    in_lanes: usize,
    has_ended: bool,
}

impl World {
    /// What to do wrong now: once.
    pub(crate) fn wrong(&self, stage: Stage) -> Option<Fault> {
        let fault = self.orders.at(stage)?;
        (!self.history.begun.swap(true, Ordering::AcqRel)).then_some(fault)
    }

    /// No call is taken from lanes any more.
    pub(crate) fn stop_taking(&self) {
        if let Some(server) = self.server.get() {
            server.shut_down();
        }
    }

    /// It was done, and outlived.
    pub(crate) fn has_done_wrong(&self) {
        self.history.done.store(true, Ordering::Release);
    }

    /// What a call is answered.
    pub(crate) fn answer_to(&self, operation: &str, argument: Vec<u8>) -> Vec<u8> {
        let lingers = || {
            let lingering = self.lingering();
            !lingering.frames.is_empty() || lingering.in_lanes > 0
        };
        match operation {
            "Acted" if self.history.done.load(Ordering::Acquire) => b"done".to_vec(),
            "Acted" => b"nothing".to_vec(),
            "Lingering" if lingers() => b"yes".to_vec(),
            "Lingering" => b"no".to_vec(),
            _ => argument,
        }
    }

    pub(crate) fn lingering(&self) -> MutexGuard<'_, Lingering> {
        self.history.lingering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this is told to end.
    pub(crate) fn linger(&self) {
        let mut lingering = self.lingering();
        lingering.in_lanes += 1;
        while !lingering.has_ended {
            lingering = self.history.ended.wait(lingering).unwrap_or_else(PoisonError::into_inner);
        }
        lingering.in_lanes -= 1;
    }

    /// Nothing lingers any more. What is to be sent is returned.
    pub(crate) fn end_lingering(&self) -> Vec<Vec<u8>> {
        let mut lingering = self.lingering();
        lingering.has_ended = true;
        self.history.ended.notify_all();
        std::mem::take(&mut lingering.frames)
    }
}
