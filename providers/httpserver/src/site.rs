//! One link being served: its listener, which connections it takes, and how it ends.
//!
//! ```text
//! Serving --drain--> Draining: no listener; each connection ends after the requests that it serves, at once if there is none
//! Serving, Draining --close--> Closing: the same, and each connection has 30 s for it
//! ```

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cofferdam_provider::{Host, Level};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::event_loop::EventLoop;
use crate::gauge::{Counted, Gauge};
use crate::loops::{Seat, Spread};
use crate::settings::Settings;
use crate::tls::{Tls, TlsError};

/// How far the end of a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Closing,
}

/// What all bodies of all sites may take together, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Rooms {
    /// Of requests, until they are answered.
    pub(crate) requests: Arc<Semaphore>,
    /// Of responses, until the client has taken them.
    pub(crate) responses: Arc<Semaphore>,
}

/// What a connection takes, until it has ended.
#[derive(Debug)]
pub(crate) struct Place {
    // Goes first: whoever waits for the count finds the seat free.
    seat: Seat,
    _counted: Counted,
}

/// What a link says of its connections, with what that took of the host.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) settings: Settings,
    pub(crate) tls: Option<Tls>,
}

/// One link being served.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) host: Host,
    pub(crate) actor: String,
    pub(crate) rooms: Rooms,
    /// Under way, on all loops.
    pub(crate) requests: Gauge,
    /// Open, on all loops.
    pub(crate) connections: Gauge,
    loops: Spread,
    terms: RwLock<Arc<Terms>>,
    phase: watch::Sender<Phase>,
}

impl Terms {
    /// Reads certificate and key, if there are to be some.
    pub(crate) fn new(host: Host, settings: Settings) -> Result<Self, TlsError> {
        let tls = settings.tls.as_ref().map(|names| Tls::load(host, names, &settings)).transpose()?;
        Ok(Self { settings, tls })
    }
}

impl Site {
    pub(crate) fn new(host: Host, loops: Spread, rooms: Rooms, actor: &str, terms: Terms) -> Self {
        Self {
            host,
            loops,
            actor: actor.to_owned(),
            rooms,
            requests: Gauge::new(),
            connections: Gauge::new(),
            terms: RwLock::new(Arc::new(terms)),
            phase: watch::Sender::new(Phase::Serving),
        }
    }

    /// Begins to accept on an event loop. The task ends, and with it the listener, when the site stops serving.
    pub(crate) fn open(self: &Arc<Self>, listener: TcpListener, home: &Arc<EventLoop>) -> io::Result<JoinHandle<()>> {
        let _entered = home.handle().enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (site, at) = (Arc::clone(self), Arc::clone(home));
        Ok(home.handle().spawn(async move { site.accept(listener, &at).await }))
    }

    pub(crate) fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.terms().settings.address
    }

    /// Connections that are accepted from now on keep to these; the address is the one it has.
    pub(crate) fn adopt(&self, terms: Terms) {
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(terms);
        self.connections.look_again();
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// To wait for a phase by.
    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Phases only go forward.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }

    async fn accept(self: Arc<Self>, listener: tokio::net::TcpListener, home: &Arc<EventLoop>) {
        let mut phase = self.phase.subscribe();
        loop {
            let stream = tokio::select! {
                biased;
                () = reached(&mut phase, Phase::Draining) => return,
                accepted = self.next(&listener) => accepted,
            };
            // Counted here: the next one is waited for before that task has begun.
            let counted = self.connections.enter();
            // There is one as long as this runs, on a loop itself.
            let Some(seat) = self.loops.seat() else { continue };
            let place = Place { seat, _counted: counted };
            if let Err(error) = Arc::clone(&self).hand_over(stream, place, home) {
                self.host.log(Level::WARN, &format!("a connection was lost on its way to its event loop: {error}"));
            }
        }
    }

    /// Gives a connection to its loop. The socket is known to the loop that accepted it, and only one can wait for it.
    fn hand_over(self: Arc<Self>, stream: TcpStream, place: Place, home: &Arc<EventLoop>) -> io::Result<()> {
        if Arc::ptr_eq(place.seat.event_loop(), home) {
            tokio::spawn(Connection::new(self, place).serve(stream));
            return Ok(());
        }
        let on = place.seat.event_loop().handle().clone();
        let stream = {
            let _entered = on.enter();
            TcpStream::from_std(stream.into_std()?)?
        };
        on.spawn(Connection::new(self, place).serve(stream));
        Ok(())
    }

    /// The next connection, once there is a place for it: whoever comes beyond the limit waits in the kernel's queue.
    async fn next(&self, listener: &tokio::net::TcpListener) -> TcpStream {
        const PAUSE: Duration = Duration::from_millis(100);
        self.connections.below(|| self.terms().settings.connections_max).await;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    // A client that has gone again, or no descriptor is left: the next try may work.
                    self.host.log(Level::WARN, &format!("a connection was not accepted: {error}"));
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Place {
    pub(crate) fn event_loop(&self) -> &EventLoop {
        self.seat.event_loop()
    }
}

/// Waits for a phase or a later one.
pub(crate) async fn reached(current: &mut watch::Receiver<Phase>, phase: Phase) {
    // Fails only when the site is gone, and its tasks hold it.
    let _ = current.wait_for(|current| *current >= phase).await;
}

/// Two links can't listen on one address, unless the system chooses the port.
pub(crate) fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    one == other && one.port() != 0
}

/// Two different addresses that the system gives to listeners only one after the other: every interface, and one of them.
pub(crate) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let every_interface = one.ip().is_unspecified() || other.ip().is_unspecified();
    every_interface && one.port() == other.port() && one.port() != 0
}
