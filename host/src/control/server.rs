//! Serving the operator's socket: who may connect, how many at once, and how it ends.
//!
//! The server holds no state of the host. It never runs a request for another user than its own or root, and it stops
//! in this order: no new connections, the socket's file removed, requests in flight finished, connections closed. So a
//! client that asked for `stop` and sees its connection end can start another host at once.

mod connection;
mod place;
mod seats;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::error::ServerError;
use super::explain::{ExplainReport, ExplainRequest};
use super::protocol::{CallRequest, ErrorReport, LINE_BYTES_MAX};
use super::provider::ProviderRequest;
use super::report::{ProviderReport, PsReport};
use crate::words::CallError;
use connection::Connection;
use place::Place;
use seats::Seats;

/// What the host can be asked for. `host.rs` implements it.
pub trait Operations: Send + Sync + 'static {
    /// An operator said something that is more than a look: called an actor, attended to a provider, stopped the host.
    /// Told before it is done. `subject` is whom it is about.
    fn heard(&self, who: Who, command: &str, subject: &str) {
        let _ = (who, command, subject);
    }

    /// Somebody else than the host's user or root connected.
    fn refused(&self, uid: Option<u32>) {
        let _ = uid;
    }

    /// What runs now.
    fn ps(&self) -> impl Future<Output = PsReport> + Send;

    /// Calls an actor as the host itself; returns by the request's time-out.
    fn call(&self, request: CallRequest) -> impl Future<Output = Result<Vec<u8>, CallError>> + Send;

    /// What a provider may have of the world.
    fn explain(&self, request: ExplainRequest) -> impl Future<Output = Result<ExplainReport, ErrorReport>> + Send;

    /// Does something to a provider; returns when it is done, or by the request's time-out.
    fn attend(&self, request: ProviderRequest) -> impl Future<Output = Result<ProviderReport, ErrorReport>> + Send;

    /// Begins to drain and returns at once. Whoever waits for the host's end then stops this server as the last act.
    fn stop(&self) -> impl Future<Output = ()> + Send;
}

/// Who is at the other end of a connection, by the kernel's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The user.
    pub uid: u32,
    /// The process that connected.
    pub pid: Option<u32>,
}

/// The bounds of the server. The defaults are for people; tests want smaller ones.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at once. One more takes the place of the one that has kept the host waiting the longest; where all are
    /// within their grace, or have requests carried out, it is told so and closed.
    pub connections_max: usize,
    /// How long a connection may say nothing before another may take its place.
    pub idle_grace: Duration,
    /// How long a request may take to arrive, or an answer to be taken, before that.
    pub transfer_grace: Duration,
    /// Calls at once. Fewer than connections, so that `ps` and `stop` get through however long the calls take.
    pub calls_max: usize,
    /// Requests at once that wait for a provider, for the same reason.
    pub attending_max: usize,
    /// A request, with its payload in base64.
    pub line_bytes_max: usize,
    /// How long a connection may be silent between requests.
    pub idle: Duration,
    /// How long a request may take to arrive once it has begun, and an answer to be taken.
    pub transfer: Duration,
    /// How long `ps` may take, and a call beyond its own time-out.
    pub answer: Duration,
    /// How long requests in flight may take when the server stops.
    pub drain: Duration,
}

/// A served socket. Dropping it ends the service at once; [`Server::stop`] does so gracefully.
pub struct Server {
    path: PathBuf,
    stop: oneshot::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 32,
            idle_grace: Duration::from_millis(100),
            transfer_grace: Duration::from_secs(1),
            calls_max: 16,
            attending_max: 8,
            line_bytes_max: LINE_BYTES_MAX,
            idle: Duration::from_secs(60),
            transfer: Duration::from_secs(10),
            answer: Duration::from_secs(2),
            drain: Duration::from_secs(2),
        }
    }
}

impl Server {
    /// Takes the path and serves it. A host that already does is an error that names its process; the socket that a dead
    /// host left is replaced.
    pub async fn start<O: Operations>(path: &Path, operations: Arc<O>) -> Result<Self, ServerError> {
        Self::start_with(path, operations, ServerLimits::default()).await
    }

    /// [`Server::start`] with other bounds.
    pub async fn start_with<O: Operations>(
        path: &Path,
        operations: Arc<O>,
        limits: ServerLimits,
    ) -> Result<Self, ServerError> {
        let (place, listener) = Place::take(path).await?;
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(place, listener, operations, limits, stopped));
        Ok(Self { path: path.to_owned(), stop, accepting })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the service: requests in flight have [`ServerLimits::drain`] to finish.
    pub async fn stop(mut self) {
        let (unused, _) = oneshot::channel();
        // It fails only when the service has ended already.
        let _ = std::mem::replace(&mut self.stop, unused).send(());
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Whether this peer may ask: the user of the host, or root.
pub(super) fn is_permitted(peer: Option<u32>, own: u32) -> bool {
    peer.is_some_and(|uid| uid == own || uid == 0)
}

async fn accept<O: Operations>(
    place: Place,
    listener: Listener,
    operations: Arc<O>,
    limits: ServerLimits,
    mut stopped: oneshot::Receiver<()>,
) {
    let (closing, close) = watch::channel(false);
    let seats = Seats::new(limits);
    let calls = Arc::new(Semaphore::new(limits.calls_max));
    let attending = Arc::new(Semaphore::new(limits.attending_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                let (operations, close) = (operations.clone(), close.clone());
                let (calls, attending) = (calls.clone(), attending.clone());
                let connection = Connection { operations, limits, close, calls, attending, who: Who::default() };
                connections.spawn(receive(connection, stream, seats.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection to the operator's socket");
                // Out of descriptors, most likely: the next attempt would fail at once, and for ever.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    drop(place);
    // It fails only when there is no connection.
    let _ = closing.send(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, finished).await.is_err() {
        tracing::warn!("requests on the operator's socket did not end and were dropped");
    }
}

async fn receive<O: Operations>(mut connection: Connection<O>, stream: Stream, seats: Arc<Seats>) {
    let peer = stream.peer_creds().ok();
    let uid = peer.as_ref().and_then(|creds| creds.euid());
    if !is_permitted(uid, nix::unistd::geteuid().as_raw()) {
        tracing::warn!(?uid, "refused a connection to the operator's socket");
        connection.operations.refused(uid);
        return connection.refuse(stream, connection::not_permitted()).await;
    }
    let pid = peer.and_then(|creds| creds.pid()).and_then(|pid| u32::try_from(pid).ok());
    connection.who = Who { uid: uid.unwrap_or_default(), pid };
    match seats.take().await {
        Some(seat) => connection.serve(stream, seat).await,
        None => {
            connection.refuse(stream, connection::busy("serves", connection.limits.connections_max, "operators")).await
        }
    }
}
