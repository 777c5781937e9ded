//! The provider of `wasmcloud:httpserver`: one listener a link; each request becomes a `HandleRequest` of the linked actor.
//!
//! # Link values
//!
//! | name | meaning | default |
//! |---|---|---|
//! | `PORT` | the port, on loopback unless `BIND` says where; 0 is any free one | 8080 |
//! | `BIND` | where to listen: `address:port`, `address` (port from `PORT`) or `port`; exactly one | `127.0.0.1` |
//! | `TIMEOUT_MS` | how long the actor may take; the host may allow less | 10000 |
//! | `HEADER_TIMEOUT_MS` | how long a head may take to arrive, and a kept connection may idle | 10000 |
//! | `BODY_TIMEOUT_MS` | how long a body may take to arrive | 30000 |
//! | `WRITE_TIMEOUT_MS` | how long a client may take nothing of its response | 30000 |
//! | `CONNECTIONS_MAX` | connections at once; further ones wait to be accepted | 1024 |
//! | `BODY_BYTES_MAX` | the longest body; the host's payload limit bounds it too | the payload limit |
//! | `TLS_CERT`, `TLS_KEY` | the names of granted files or secrets, PEM: then the link speaks TLS | no TLS |
//! | `TLS_HANDSHAKE_TIMEOUT_MS` | how long a handshake may take | 10000 |
//! | `TLS_HANDSHAKES_MAX` | handshakes at once; further ones wait | 128 |
//! | `H2C` | `true`: without TLS, clients may begin with HTTP/2 | `false` |
//!
//! The reference listened on every interface; here that takes `BIND: 0.0.0.0:8080`. A link that is bound again on the same
//! address keeps its listener, reads certificate and key again, and keeps to the new values with connections to come; on another one, the new listener opens before the old one closes, unless one of them is for
//! every interface and the port is the same. When a link goes, requests under way have 30 s to end. Time-outs are in
//! milliseconds, up to 600000. What the reference knew and this does not (`WORKERS`, `CORS_…`, a list in `BIND`) is
//! ignored with a warning in the log or, for the list, refused.
//!
//! # Event loops
//!
//! Connections of all links are spread over event loops, by how many each has; `loops.rs` says how many loops there are, and the
//! granted variable `HTTP_LOOPS` (1 to 16) says otherwise. Who reads no answers is not read from either.
//!
//! # HTTP/2
//!
//! Over TLS both sides agree on HTTP/2 or HTTP/1.1. `http2/mod.rs` has the limits. A connection without requests ends after
//! `HEADER_TIMEOUT_MS`, one whose client takes less than a piece (16 KiB) of an answer within `WRITE_TIMEOUT_MS` is cut off. What closes
//! a connection of HTTP/1.1 in the table below closes the stream.
//!
//! # What a client gets
//!
//! | status | when |
//! |---|---|
//! | the actor's | the actor answered with a status from 200 to 599 |
//! | 400 | no HTTP, or a body that breaks off |
//! | 405 | `CONNECT` |
//! | 408, closes | the body was late. A late head just closes the connection |
//! | 413, closes | the body is too long; what is still sent of it is discarded for `BODY_TIMEOUT_MS` at most |
//! | 431, closes | more than 100 headers, or a head of more than 64 KiB, or more than the host takes |
//! | 500 | the host or this provider is wrong |
//! | 501 | a WebSocket was asked for |
//! | 502 | the actor failed, trapped, is not allowed, or answered with something that is no response |
//! | 503, retry after 1 s | the actor is not there or at its limit |
//! | 503, closes | all memory for bodies of requests (64 MiB) or of responses that clients are slow to take (256 MiB) is taken |
//! | 503, closes | the provider is draining |
//! | 504 | the actor did not answer by the deadline |
//!
//! Bodies of errors are the status's own words, nothing of the actor. Its words go to the log.
//!
//! # Headers
//!
//! The contract has one value a name: several of a request are joined by `", "` (cookies by `"; "`), names are lower case.
//! Framing is the server's: `connection` and what it names, `transfer-encoding`, `content-length` and other hop-by-hop
//! headers of the actor are dropped. The `status` text of the contract is ignored, as the reference did.
#![deny(unsafe_code)]

mod connection;
mod event_loop;
mod exchange;
mod gauge;
mod http2;
mod loops;
mod opening;
mod refusal;
mod settings;
mod site;
#[cfg(test)]
mod tests;
mod tls;
mod wire;
mod write_timeout;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam_provider::{Call, CallError, Failure, Host, Level, Link, Provider, Reply};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::loops::Loops;
use crate::settings::Settings;
use crate::site::{Phase, Rooms, Site, Terms, clash, overlap};

/// What all bodies of requests that are being read or answered may take together.
const REQUESTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What all bodies of responses that clients have not taken yet may take together.
const RESPONSES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// What an address comes from. Hosts clip the values themselves out of a provider's words.
const ADDRESS_VALUES: &str = "by the link's values PORT and BIND";
/// How long the end of a listener may take; it is a few microseconds unless the event loop is stuck.
const LISTENER_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The provider: the sites by actor, and the threads that they live on.
#[derive(Debug)]
pub struct HttpServer {
    // Goes first: its tasks use the rest.
    loops: Loops,
    host: Host,
    rooms: Rooms,
    links: Mutex<Links>,
}

#[derive(Debug, Default)]
struct Links {
    draining: bool,
    sites: HashMap<String, Bound>,
}

#[derive(Debug)]
struct Bound {
    site: Arc<Site>,
    listener: JoinHandle<()>,
}

impl Provider for HttpServer {
    const NAME: &'static str = concat!("httpserver ", env!("CARGO_PKG_VERSION"));
    /// Actors have nothing to ask of it.
    const CONCURRENCY: u32 = 1;

    fn create(host: Host) -> Result<Self, Failure> {
        Self::on_loops(host, loops::wanted()?)
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        let settings = Settings::of(link)?;
        for name in settings::unknown(link) {
            self.host.log(Level::WARN, &format!("the link value {name:?} of {} means nothing here", link.actor()));
        }
        let address = settings.address;
        // Before anything is changed: when it fails, what there was goes on.
        let terms = Terms::new(self.host, settings)?;
        let mut links = self.lock();
        if links.draining {
            return Err(Failure::new("the provider is draining"));
        }
        if let Some(bound) = links.sites.get(link.actor()).filter(|bound| bound.site.address() == address) {
            bound.site.adopt(terms);
            return Ok(());
        }
        if let Some(other) = links.sites.values().find(|bound| clash(bound.site.address(), address)) {
            let actor = &other.site.actor;
            let other = format!("the link of {actor} has it; give this one another PORT");
            return Err(Failure::new(format!("{address} ({ADDRESS_VALUES}) is taken: {other}")));
        }
        let before = links.sites.get(link.actor()).map(|bound| bound.site.terms());
        let in_the_way = before.filter(|before| overlap(before.settings.address, address));
        if in_the_way.is_some() {
            links.sites.remove(link.actor()).into_iter().for_each(|bound| self.close(bound));
        }
        let served = self.serve(&mut links, link.actor(), terms);
        if let (Err(_), Some(before)) = (&served, in_the_way) {
            // The link is refused either way; what it had goes on if that is still to be had.
            let _ = self.serve(&mut links, link.actor(), Terms::clone(&before));
        }
        drop(links);
        served?.into_iter().for_each(|bound| self.close(bound));
        Ok(())
    }

    fn unbind(&self, actor: &str) {
        let gone = self.lock().sites.remove(actor);
        gone.into_iter().for_each(|bound| self.close(bound));
    }

    fn handle(&self, call: &Call<'_>, _reply: &mut Reply<'_>) -> Result<(), Failure> {
        Err(Failure::unknown_operation(call.operation()))
    }

    fn health(&self) -> Result<(), Failure> {
        self.loops.check()?;
        // Whoever binds a link right now is as good a sign of life.
        let Ok(links) = self.links.try_lock() else { return Ok(()) };
        match links.sites.iter().find(|(_, bound)| bound.listener.is_finished()) {
            Some((actor, _)) => Err(Failure::new(format!("nobody accepts the connections of {actor} any more"))),
            None => Ok(()),
        }
    }

    fn shutdown(&self, within: Duration) {
        let give_up = Instant::now() + within;
        let bound: Vec<Bound> = {
            let mut links = self.lock();
            links.draining = true;
            links.sites.drain().map(|(_, bound)| bound).collect()
        };
        let end = async {
            bound.iter().for_each(|bound| bound.site.enter(Phase::Draining));
            for bound in &bound {
                bound.site.requests.idle().await;
            }
            bound.iter().for_each(|bound| bound.site.enter(Phase::Closing));
            for bound in &bound {
                bound.site.connections.idle().await;
            }
        };
        // Whoever is not done by then is cut off: the process ends.
        self.wait(give_up.saturating_duration_since(Instant::now()), end);
    }
}

impl HttpServer {
    /// As [`Provider::create`], on so many event loops, or on as many as can be had.
    pub fn on_loops(host: Host, wanted: NonZeroUsize) -> Result<Self, Failure> {
        let loops = Loops::start(host, wanted)?;
        let room = |bytes_max| Arc::new(Semaphore::new(bytes_max));
        let rooms = Rooms { requests: room(REQUESTS_BYTES_MAX), responses: room(RESPONSES_BYTES_MAX) };
        Ok(Self { loops, host, rooms, links: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a listener for an actor. Returns what it had before, which is to be closed.
    fn serve(&self, links: &mut Links, actor: &str, terms: Terms) -> Result<Option<Bound>, Failure> {
        let address = terms.settings.address;
        // The host shows no values of links, so the words name those that are meant.
        let socket = self.host.listen(&address.to_string()).map_err(|error| {
            let next = match error {
                CallError::Denied(_) => "grant it to this provider, or give the link another PORT",
                _ if error.to_string().contains("Cannot assign requested address") => {
                    "give the link a BIND of this machine"
                }
                _ => "end what listens there, or give the link another PORT",
            };
            Failure::new(format!("{address} ({ADDRESS_VALUES}) cannot be served: {error}; {next}"))
        })?;
        self.host.log(
            Level::INFO,
            &format!(
                "serving {actor} on {}{}",
                socket.local_addr()?,
                if terms.tls.is_some() { ", by TLS" } else { "" }
            ),
        );
        let loops = self.loops.spread();
        let site = Arc::new(Site::new(self.host, loops.clone(), self.rooms.clone(), actor, terms));
        let listener = site.open(socket, loops.home()?)?;
        Ok(links.sites.insert(actor.to_owned(), Bound { site, listener }))
    }

    /// Ends a site; the address is free when this returns, requests under way go on.
    fn close(&self, bound: Bound) {
        bound.site.enter(Phase::Closing);
        self.wait(LISTENER_CLOSE_TIMEOUT, bound.listener);
    }

    /// Blocks until this is so, but no longer. Where no loop runs there is nothing to wait for: all went with the loops.
    fn wait(&self, within: Duration, what: impl Future) {
        if let Ok(home) = self.loops.spread().home() {
            let _ = home.handle().block_on(async { timeout(within, what).await });
        }
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::HttpServer);
}
pub use exported::cofferdam_provider_v1;
