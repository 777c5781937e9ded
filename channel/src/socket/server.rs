//! The answering end: workers of which one reads, as `leadership.rs` decides, and all run what they have read.
//!
//! Workers are made as they are needed, up to one more than may run at once: the one more hears of cancels, and of the
//! peer's end, while all others are busy. Idle ones leave again.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cofferdam_protocol::call::{CallId, Fault, Header};
use interprocess::os::unix::uds_local_socket::Stream;
use parking_lot::RwLock;

use super::reader::{Frame, FrameReader};
use super::writer::Writer;
use super::{Broken, OnBroken, Until, prepare};
use crate::leadership::{Leadership, Turn};
use crate::running::Running;
use crate::serving::{self, shrink};
use crate::{Deadline, Incoming, Service};

/// How long an idle worker stays, beyond the one that reads.
const IDLE: Duration = Duration::from_secs(10);

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

/// The answering end of one direction, on a socket.
pub struct SocketServer {
    stream: Stream,
    writer: Writer,
    leadership: Leadership<FrameReader>,
    /// The calls that run, one place for each worker, so that a cancel finds its call.
    running: RwLock<Vec<Arc<Running>>>,
    workers: AtomicUsize,
    broken: AtomicBool,
    service: Arc<dyn Service>,
    config: ServerConfig,
    on_broken: OnBroken,
}

/// A worker that is counted. Dropping it, however the worker ends, takes it out again.
struct Place {
    server: Arc<SocketServer>,
    running: Arc<Running>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.running.write().retain(|other| !Arc::ptr_eq(other, &self.running));
        self.server.workers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SocketServer {
    /// Takes one end of a connection and begins to serve it. `on_broken` is told, once, when the peer closes it or breaks
    /// the grammar; workers end by themselves then.
    pub fn start(
        stream: UnixStream,
        service: Arc<dyn Service>,
        config: ServerConfig,
        on_broken: OnBroken,
    ) -> io::Result<Arc<Self>> {
        let server = Arc::new(Self {
            stream: prepare(stream)?,
            writer: Writer::new(config.payload_bytes_max),
            leadership: Leadership::new(FrameReader::new(config.payload_bytes_max)),
            running: RwLock::default(),
            workers: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            service,
            config,
            on_broken,
        });
        server.add_worker()?;
        Ok(server)
    }

    /// How many calls run.
    pub fn running(&self) -> usize {
        self.running.read().iter().filter(|running| !running.is_idle()).count()
    }

    /// Stops reading; workers end when what they run has ended.
    pub fn shut_down(&self) {
        self.broken.store(true, Ordering::Release);
        self.end_work();
        // A shut-down socket is readable at its end, which wakes the reader. It may be shut down already.
        let _ = self.stream.inner().shutdown(std::net::Shutdown::Both);
    }

    /// Nobody takes another request, and nobody waits for the answers of those that run.
    fn end_work(&self) {
        self.leadership.close();
        self.running.read().iter().for_each(|running| running.cancel_any());
    }

    fn add_worker(self: &Arc<Self>) -> io::Result<()> {
        let running = Arc::new(Running::default());
        self.running.write().push(running.clone());
        let number = self.workers.fetch_add(1, Ordering::Relaxed) + 1;
        let place = Place { server: self.clone(), running };
        // A thread that can't be made drops the closure, and the place with it.
        let run_in = self.config.run_in;
        let work = move || run_in(&mut || place.server.work(&place.running));
        thread::Builder::new().name(format!("{}-{number}", self.config.name)).spawn(work).map(drop)
    }

    fn work(self: &Arc<Self>, running: &Running) {
        let (mut frame, mut answer) = (Frame::default(), Vec::new());
        loop {
            match self.leadership.follow(IDLE) {
                Turn::Lead(reader) => {
                    if let Err(broken) = self.lead(reader, &mut frame, running, &mut answer) {
                        self.report(&broken);
                    }
                }
                Turn::Unneeded | Turn::Closed => return,
            }
        }
    }

    /// Reads and runs requests for as long as the reader stays with this worker.
    fn lead(
        self: &Arc<Self>,
        mut reader: Box<FrameReader>,
        frame: &mut Frame,
        running: &Running,
        answer: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        while self.read_request(&mut reader, frame)? {
            // Before another may read on: the next frame may cancel this call.
            running.begin(frame.header()?.call());
            let (meanwhile, alone) = {
                let more = reader.has_buffered();
                self.leadership.lay_down(reader, more)
            };
            if alone {
                self.add_follower();
            }
            let began = Deadline::now();
            self.run(frame, running, answer);
            shrink(&mut frame.payload);
            shrink(answer);
            match self.leadership.take_back(meanwhile, Deadline::now().since(began)) {
                Some(mine) => reader = mine,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn add_follower(self: &Arc<Self>) {
        if self.workers.load(Ordering::Relaxed) <= self.config.running_max
            && let Err(error) = self.add_worker()
        {
            // Without another thread the next request waits until this one is done, which is slow and not wrong.
            tracing::warn!(%error, "no thread for another worker");
        }
    }

    /// Reads until there is a request. False when it is over.
    fn read_request(&self, reader: &mut FrameReader, frame: &mut Frame) -> Result<bool, Broken> {
        while !self.broken.load(Ordering::Acquire) {
            if !reader.next(&self.stream, frame, Until::from(Deadline::NEVER))? {
                continue;
            }
            match frame.header()? {
                Header::Request(_) => return Ok(true),
                Header::Cancel { call } => self.cancel(call),
                Header::Reply { .. } => return Err(Broken::WrongWay("reply")),
                Header::Failure { .. } => return Err(Broken::WrongWay("failure")),
            }
        }
        Ok(false)
    }

    fn cancel(&self, call: CallId) {
        self.running.read().iter().for_each(|running| running.cancel(call));
    }

    fn run(&self, frame: &Frame, running: &Running, answer: &mut Vec<u8>) {
        let Ok(Header::Request(request)) = frame.header() else { return };
        let (deadline, cancelled) = (Deadline::from_monotonic_ns(request.deadline_ns), running.cancelled());
        let incoming = Incoming {
            call: request.call,
            actor: request.actor,
            operation: request.operation,
            payload: &frame.payload,
            deadline,
            cancelled: &cancelled,
        };
        let result = serving::run(&*self.service, &incoming, self.config.payload_bytes_max, answer);
        running.end();
        self.answer(request.call, result, answer);
    }

    /// Every request is answered, or the asking side would count it as running for ever. The write waits for as long as
    /// the peer doesn't read; a peer that waits for anything reads, and one that has gone ends the write.
    fn answer(&self, call: CallId, result: Result<(), Fault>, answer: &[u8]) {
        let header = match result {
            Ok(()) => Header::Reply { call },
            Err(fault) => Header::Failure { call, fault },
        };
        if let Err(broken) = self.writer.write(&self.stream, &header, answer, Deadline::NEVER) {
            self.report(&broken);
        }
    }

    fn report(&self, broken: &Broken) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            self.end_work();
            (self.on_broken)(broken);
        }
    }
}
