//! One process of a provider: from its spawn to its end.

mod launch;

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::lane::{LaneClient, Region};
use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::{ShimMessage, Want};
use cofferdam_channel::protocol::limits::CALLS_MAX;
use cofferdam_channel::socket::{ClientConfig, SocketClient};
use cofferdam_channel::{Client, Deadline, Server};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(super) use launch::NotLaunched;

use super::asks::Asks;
use super::child::Child;
use super::control::Receiver;
use super::exit::Exit;
use super::gate::{Line, LineEnd};
use super::obituary::Remains;
use super::outbox::{BrokenTo, Outbox};

/// What a process that died has closed, the kernel closes a moment before it tells that the process ended.
const EXIT_AFTER_EOF: Duration = Duration::from_millis(500);

/// How long the rest of what a process said may take to be read after its end: it has been sent already.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Messages that are read after the end of a process.
const LAST_WORDS_MAX: u32 = 256;

/// One process of a provider. Dropping it kills the process and reaps it.
pub(super) struct Process {
    child: Child,
    /// When it was started.
    born: Deadline,
    /// How long it took until it was ready.
    started_in: Option<Duration>,
    /// The pipe into which it writes when a signal ends it.
    record: Option<OwnedFd>,
    /// What does not confine it, by its own word.
    missing: Confinement,
    control: Arc<UnixStream>,
    outbox: Outbox,
    receiver: Receiver,
    /// The end on which calls are going to be made, until it is known how many at once.
    down: Option<StdStream>,
    /// Where they are made instead.
    lanes: Option<Arc<Region>>,
    line: Option<Arc<Line>>,
    server: Server,
    broken: mpsc::Receiver<String>,
    broken_to: BrokenTo,
    asks: Asks,
    calls_max: u32,
    payload_bytes_max: u32,
    /// Why it is of no more use, and until when its end is waited for: most often that is the cause.
    ending: Option<(String, Instant)>,
    /// How it ended, once it has.
    ended: Option<Exit>,
    last_words_left: u32,
}

/// What a process did.
pub(super) enum Happened {
    Said(ShimMessage),
    Exited(Exit),
    Broke(String),
}

impl Process {
    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// It takes calls from now on.
    pub(super) fn is_ready(&mut self) -> Duration {
        self.child.reap_leader();
        *self.started_in.insert(Deadline::now().since(self.born))
    }

    /// How long it took to be ready, once it is.
    pub(super) const fn started_in(&self) -> Option<Duration> {
        self.started_in
    }

    /// What it leaves, for the report of its death. Once.
    pub(super) fn remains(&mut self) -> Remains {
        Remains {
            pid: self.child.pid(),
            born: self.born,
            exit: self.ended,
            usage: self.child.usage(),
            unconfined: self.missing,
            record: self.record.take(),
        }
    }

    /// It said why it is of no use, and is going to end by itself: waits for that, for a moment.
    pub(super) fn expect_end(&mut self, why: String) {
        self.ending.get_or_insert((why, Instant::now() + EXIT_AFTER_EOF));
    }

    pub(super) const fn missing(&self) -> Confinement {
        self.missing
    }

    /// Waits for the next thing it does. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Happened {
        if self.ended.is_none() {
            match self.while_it_lives().await {
                Happened::Exited(exit) => self.ended = Some(exit),
                happened => return happened,
            }
        }
        // What it said before it ended comes first: it may say why. The end of the socket ends this, unless a child of
        // the process holds it open.
        if self.last_words_left > 0 {
            self.last_words_left -= 1;
            let last_words = self.receiver.receive(&self.control);
            if let Ok(Ok(message)) = tokio::time::timeout(LAST_WORDS, last_words).await {
                return Happened::Said(message);
            }
            self.last_words_left = 0;
        }
        Happened::Exited(self.ended.unwrap_or(Exit::Unknown))
    }

    async fn while_it_lives(&mut self) -> Happened {
        let Self { child, control, receiver, broken, ending, .. } = self;
        if ending.is_none() {
            let why = tokio::select! {
                exit = child.exit() => return Happened::Exited(exit),
                received = receiver.receive(control) => match received {
                    Ok(message) => return Happened::Said(message),
                    Err(error) => error.by_the_shim(),
                },
                Some(why) = broken.recv() => why,
            };
            // Kept, for it is told once only, and this may be dropped while it waits.
            *ending = Some((why, Instant::now() + EXIT_AFTER_EOF));
        }
        let Some((why, until)) = ending else { return Happened::Exited(Exit::Unknown) };
        // Most often it died: then that is the cause, and the closed socket is only its shadow.
        match tokio::time::timeout_at(*until, child.exit()).await {
            Ok(exit) => Happened::Exited(exit),
            Err(_) => Happened::Broke(why.clone()),
        }
    }

    /// It takes this many calls at once: makes the client for them.
    pub(super) fn loaded(&mut self, concurrency: u32) -> Result<Arc<Line>, String> {
        let stream = self.down.take().ok_or("it said twice that it was loaded")?;
        let in_flight_max = concurrency.min(self.calls_max).min(CALLS_MAX) as usize;
        let payload_bytes_max = self.payload_bytes_max;
        let client: Box<dyn Client> = if let Some(region) = self.lanes.take() {
            let on_broken = self.broken_to.on_broken("its memory for calls");
            Box::new(LaneClient::new(region, in_flight_max, payload_bytes_max, on_broken))
        } else {
            let config = ClientConfig { in_flight_max, payload_bytes_max };
            let client = SocketClient::new(stream, config, self.broken_to.on_broken("its socket for calls"));
            Box::new(client.map_err(|error| format!("preparing its socket for calls: {error}"))?)
        };
        Ok(self.line.insert(Line::new(client)).clone())
    }

    pub(super) fn calls_in_flight(&self) -> usize {
        self.line.as_ref().map_or(0, |line| line.in_flight())
    }

    /// Sends in order, without waiting.
    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What answers its calls to actors.
    pub(super) const fn server(&self) -> &Server {
        &self.server
    }

    /// What the provider asks for, and has been handed.
    pub(super) const fn asks(&self) -> &Asks {
        &self.asks
    }

    /// Opens what the provider asks for, beside everything else, and hands it over.
    pub(super) fn answer(&self, request: u64, want: Want) -> Result<(), String> {
        self.asks.answer(request, want, &self.outbox)
    }

    /// Nothing more comes from the host: a shim that has drained ends by itself.
    pub(super) fn say_goodbye(&self) {
        // The other end may be gone already.
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Write);
    }

    /// Ends every call in flight, in both directions.
    pub(super) fn fail_calls(&self, end: LineEnd, cause: &str) {
        self.server.shut_down();
        if let Some(line) = &self.line {
            line.end(end, cause);
        }
    }

    pub(super) fn kill(&self) {
        self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.fail_calls(LineEnd::Stopped, "its process was ended by the host");
        self.asks.close();
    }
}

/// The moment as the runtime's timer takes it.
pub(super) fn instant(deadline: Deadline) -> tokio::time::Instant {
    tokio::time::Instant::now() + deadline.remaining()
}
