//! The real thing: signed actors call a provider in its own process, claims and policy included.
//!
//! The guest `caller` repeats a call by itself, so that what is measured is the call and not the way into the guest.

use std::time::{Duration, Instant};

use cofferdam_host::{Actor, HostBuilder};
use cofferdam_tests::{Rig, artifacts};
use serde::Serialize;
use serde_bytes::Bytes;
use tokio::runtime::Runtime;

use crate::rounds::micros;

pub(crate) const CONTRACT: &str = "cofferdam:echo";

/// What is sent where nothing else is said.
pub(crate) const BYTES: usize = 64;

/// Whoever waits long, on a machine that others use as well, is to be measured and not ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// Actors of the guest `caller`, all linked to one provider.
pub(crate) struct Callers {
    pub(crate) runtime: Runtime,
    pub(crate) rig: Rig,
    pub(crate) actors: Vec<String>,
}

/// What the guest is told: a call, and how often.
#[derive(Serialize)]
pub(crate) struct Forward<'a> {
    namespace: &'a str,
    operation: &'a str,
    payload: &'a Bytes,
    times: u32,
}

impl<'a> Forward<'a> {
    pub(crate) fn new(namespace: &'a str, operation: &'a str, payload: &'a [u8]) -> Self {
        Self { namespace, operation, payload: Bytes::new(payload), times: 1 }
    }

    /// So many of it.
    pub(crate) fn times(self, times: u32) -> Vec<u8> {
        rmp_serde::to_vec_named(&Self { times, ..self }).expect("plain data")
    }
}

/// So many calls of 64 bytes.
pub(crate) fn echoes(times: u32) -> Vec<u8> {
    Forward::new(CONTRACT, "Echo", &[7; BYTES]).times(times)
}

/// One call of the provider `slow`, which takes so long.
pub(crate) fn block(time: Duration) -> Vec<u8> {
    let micros = u64::try_from(time.as_micros()).expect("a short time");
    Forward::new(CONTRACT, "Block", &rmp_serde::to_vec(&micros).expect("a number")).times(1)
}

impl Callers {
    /// So many actors, and the provider `template`.
    pub(crate) fn start(actors: usize, configure: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        Self::of("template", actors, configure)
    }

    /// The same with another provider.
    pub(crate) fn of(library: &str, actors: usize, configure: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let actors = (0..actors).map(|_| artifacts::actor("caller", &[CONTRACT])).collect();
        Self::with(library, actors, configure)
    }

    /// The same with these actors.
    pub(crate) fn with(library: &str, actors: Vec<Actor>, configure: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (rig, actors) = runtime.block_on(async {
            let rig = Rig::start_with(|builder| configure(builder.with_rpc_timeout(PATIENCE))).await;
            let provider = rig.provider(library, CONTRACT).await;
            let mut started = Vec::new();
            for actor in actors {
                let actor = rig.start_actor(actor).await;
                rig.link(&actor, CONTRACT, &provider, &[]).await.expect("the link is accepted");
                started.push(actor);
            }
            (rig, started)
        });
        Self { runtime, rig, actors }
    }

    /// The mean of one call of the first actor, in µs.
    pub(crate) fn round(&self, calls: u32) -> f64 {
        let payload = echoes(calls);
        let began = Instant::now();
        let answer = self.forward(&payload);
        let took = micros(began);
        assert_eq!(answer.len(), BYTES, "the echo comes back");
        took / f64::from(calls)
    }

    /// What a [`Forward`] of the first actor comes to.
    pub(crate) fn forward(&self, forward: &[u8]) -> Vec<u8> {
        let answer = self.runtime.block_on(self.rig.host.call_actor(&self.actors[0], "Forward", forward));
        answer.expect("the calls succeed")
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.runtime.block_on(self.rig.host.stop());
    }
}
