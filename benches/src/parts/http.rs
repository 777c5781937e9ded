//! Requests over HTTP: connection -> provider in its own process -> actor in the host -> response, next to a hyper server that
//! has the actor in its own process, and next to one that has no actor at all.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cofferdam_host::words::{EnvGrant, Grants};
use cofferdam_tests::{Rig, artifacts, http::free_port};
use tokio::runtime::Runtime;

use crate::load::Load;
use crate::peers::http::{BARE, Server, WITH_ACTOR};
use crate::rounds::{ROUNDS, rounds};
use crate::row::{Row, Unit};

const CONTRACT: &str = "wasmcloud:httpserver";
const ROUND: Duration = Duration::from_millis(200);

pub(crate) fn measure() -> Vec<Row> {
    let (bare, with_actor) = (Server::start(BARE), Server::start(WITH_ACTOR));
    let (bare, with_actor) = (bare.expect("it listens"), with_actor.expect("it listens"));
    let ours = Ours::start();
    let rates = |connections| {
        let servers = [bare.address, with_actor.address, ours.address];
        requests(servers, connections).expect("each server answers all the time")
    };
    let [bare_64, actor_64, ours_64] = rates(64);
    let [_, actor_8, ours_8] = rates(8);
    let row = |connections, a_second| {
        Row::new(format!("HTTP -> provider -> actor, {connections} connections"), Unit::PerSecond, a_second)
    };
    vec![
        row(64, ours_64).against("hyper, actor in its process", actor_64).at_least(0.9),
        row(64, ours_64).against("hyper, no actor", bare_64).at_least(0.55),
        row(8, ours_8).against("hyper, actor in its process", actor_8).at_least(0.8),
    ]
}

/// Requests a second of each server, as medians.
fn requests(servers: [SocketAddr; 3], connections: usize) -> io::Result<[f64; 3]> {
    let [bare, with_actor, ours] = servers.map(|address| Load::open(address, connections));
    let mut loads = [bare?, with_actor?, ours?];
    let mut failed = None;
    let samples = rounds("requests", ROUNDS, || {
        loads.each_mut().map(|load| {
            load.round(ROUND).unwrap_or_else(|error| {
                failed = Some(error);
                f64::NAN
            })
        })
    });
    failed.map_or(Ok(samples.medians()), Err)
}

/// A host in this process, its HTTP server in another.
struct Ours {
    runtime: Runtime,
    rig: Rig,
    address: SocketAddr,
}

impl Ours {
    fn start() -> Self {
        let (runtime, port) = (Runtime::new().expect("a runtime"), free_port());
        let rig = runtime.block_on(async {
            let rig = Rig::start().await;
            let actor = rig.actor("responder", &[CONTRACT]).await;
            // One loop, as the others have.
            let env = vec![EnvGrant { name: "HTTP_LOOPS".to_owned(), value: Some("1".to_owned()) }];
            let listen = vec![format!("127.0.0.1:{port}").parse().expect("an address")];
            let server = artifacts::provider("httpserver", CONTRACT);
            let provider = rig.start_provider(server.with_grants(Grants { env, listen, ..Grants::default() })).await;
            let values = [("PORT", &*port.to_string())];
            rig.link(&actor, CONTRACT, &provider, &values).await.expect("the link is accepted");
            rig
        });
        Self { runtime, rig, address: (Ipv4Addr::LOCALHOST, port).into() }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.runtime.block_on(self.rig.host.stop());
    }
}
