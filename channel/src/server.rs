//! The answering end of one direction, whatever requests come by.

use std::io;
use std::sync::Arc;

use crate::workers::{Requests, Workers};
use crate::{OnBroken, Service};

/// The bounds of one server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Calls that run at once.
    pub running_max: usize,
    /// Argument or answer.
    pub payload_bytes_max: u32,
    /// What the threads are called.
    pub name: String,
    /// What each thread runs in. Calls its argument, once.
    pub run_in: fn(&mut dyn FnMut()),
}

/// The answering end of one direction. It goes on serving when this is dropped; clones are the same.
#[derive(Clone)]
pub struct Server {
    workers: Arc<dyn Serving>,
}

/// Workers, whatever they take requests from.
trait Serving: Send + Sync {
    fn running(&self) -> usize;
    fn shut_down(&self);
}

impl<R: Requests> Serving for Workers<R> {
    fn running(&self) -> usize {
        self.running()
    }

    fn shut_down(&self) {
        self.shut_down();
    }
}

impl Server {
    pub(crate) fn start<R: Requests>(
        requests: (R, R::Ear),
        service: Arc<dyn Service>,
        config: ServerConfig,
        on_broken: OnBroken,
    ) -> io::Result<Self> {
        Ok(Self { workers: Workers::start(requests, service, config, on_broken)? })
    }

    /// How many calls run.
    pub fn running(&self) -> usize {
        self.workers.running()
    }

    /// Takes no more calls; its threads end when what they run has ended. A peer that shares memory may keep one of them from
    /// hearing of it while it lives: say it again when the peer has gone.
    pub fn shut_down(&self) {
        self.workers.shut_down();
    }
}
