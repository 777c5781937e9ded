//! The workers of an answering end, whatever requests come by: one of them takes requests, as `leadership.rs` decides, and
//! all run what they have taken.
//!
//! Workers are made as they are needed, up to one more than may run at once: the one more hears of cancels, and of the
//! peer's end, while all others are busy. Idle ones leave again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cofferdam_protocol::call::{CallId, Fault, Header, Request};
use parking_lot::RwLock;

use crate::answer::Written;
use crate::leadership::{Leadership, Turn};
use crate::running::Running;
use crate::serving::{self, shrink};
use crate::{Answer, Broken, Deadline, Incoming, OnBroken, ServerConfig, Service};

/// How long an idle worker stays, beyond the one that takes requests.
const IDLE: Duration = Duration::from_secs(10);

/// What requests come by.
pub(crate) trait Requests: Send + Sync + Sized + 'static {
    /// The right to take requests: one worker has it at a time.
    type Ear: Send;
    /// One request, and the memory it lies in.
    type Taken: Default;

    /// Waits until there is a request, and takes it. False when it is over. Meanwhile it hears whose callers have gone.
    fn take(&self, ear: &mut Self::Ear, taken: &mut Self::Taken, calls: &Calls) -> Result<bool, Broken>;

    /// Takes a request that is there already, without the ear: for a worker that has just ended another. Only where that can
    /// be.
    fn take_beside(&self, _: &mut Self::Taken) -> Result<bool, Broken> {
        Ok(false)
    }

    /// Whether the caller of what was taken so has gone.
    fn has_gone(&self, _: &Self::Taken) -> bool {
        false
    }

    /// As many ran as may, and one has ended: whoever takes may take again.
    fn has_room(&self) {}

    /// Whether another request is there already.
    fn has_more(&self, ear: &Self::Ear) -> bool;

    /// Its number.
    fn call(&self, taken: &Self::Taken) -> Result<CallId, Broken>;

    /// What it asks, and with what; and where the answer may be written, or nowhere.
    fn read<'a>(&'a self, taken: &'a Self::Taken) -> Result<Read<'a>, Broken>;

    /// Hands the answer back, or the words of a failure.
    fn answer(
        &self,
        taken: &Self::Taken,
        result: Result<(), Fault>,
        answer: Written<'_>,
        calls: &Calls,
    ) -> Result<(), Broken>;

    /// One large call must not pin its memory.
    fn shrink(taken: &mut Self::Taken);

    /// Ends the wait of all who take or answer.
    fn rouse(&self);
}

/// A request as it is run: what it asks, with what, and the room for its answer.
pub(crate) type Read<'a> = (Request<'a>, &'a [u8], &'a mut [u8]);

/// What may be asked.
pub(crate) fn request(header: Header<'_>) -> Result<Request<'_>, Broken> {
    match header {
        Header::Request(request) => Ok(request),
        _ => Err(Broken::WrongWay("message that is no request")),
    }
}

/// The calls that run, one place for each worker, so that a cancel finds its call; and whether it is over.
pub(crate) struct Calls {
    running: RwLock<Vec<Arc<Running>>>,
    busy: AtomicUsize,
    busy_max: usize,
    over: AtomicBool,
}

impl Calls {
    fn new(busy_max: usize) -> Self {
        Self { running: RwLock::default(), busy: AtomicUsize::new(0), busy_max, over: AtomicBool::new(false) }
    }

    /// Whether as many run as may.
    pub(crate) fn is_full(&self) -> bool {
        self.busy.load(Ordering::Relaxed) >= self.busy_max
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn cancel(&self, call: CallId) {
        self.running.read().iter().for_each(|running| running.cancel(call));
    }

    fn cancel_all(&self) {
        self.running.read().iter().for_each(|running| running.cancel_any());
    }

    fn count(&self) -> usize {
        self.running.read().iter().filter(|running| !running.is_idle()).count()
    }
}

/// The workers of one answering end.
pub(crate) struct Workers<R: Requests> {
    requests: R,
    leadership: Leadership<R::Ear>,
    calls: Calls,
    count: AtomicUsize,
    service: Arc<dyn Service>,
    config: ServerConfig,
    on_broken: OnBroken,
}

/// A worker that is counted. Dropping it, however the worker ends, takes it out again.
struct Place<R: Requests> {
    workers: Arc<Workers<R>>,
    running: Arc<Running>,
}

impl<R: Requests> Drop for Place<R> {
    fn drop(&mut self) {
        self.workers.calls.running.write().retain(|other| !Arc::ptr_eq(other, &self.running));
        self.workers.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of those that may run at once. Dropping it makes room.
struct Busy<'a, R: Requests>(&'a Workers<R>);

impl<'a, R: Requests> Busy<'a, R> {
    fn begin(workers: &'a Workers<R>) -> Self {
        workers.calls.busy.fetch_add(1, Ordering::Relaxed);
        Self(workers)
    }
}

impl<R: Requests> Drop for Busy<'_, R> {
    fn drop(&mut self) {
        self.0.calls.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<R: Requests> Workers<R> {
    /// Begins to serve. `on_broken` is told, once, when there are no more requests to be had; workers end by themselves
    /// then.
    pub(crate) fn start(
        (requests, ear): (R, R::Ear),
        service: Arc<dyn Service>,
        config: ServerConfig,
        on_broken: OnBroken,
    ) -> io::Result<Arc<Self>> {
        let (leadership, count) = (Leadership::new(ear), AtomicUsize::new(0));
        let calls = Calls::new(config.running_max);
        let workers = Arc::new(Self { requests, leadership, calls, count, service, config, on_broken });
        workers.add()?;
        Ok(workers)
    }

    /// How many calls run.
    pub(crate) fn running(&self) -> usize {
        self.calls.count()
    }

    /// Takes no more; workers end when what they run has ended. A peer may keep one from hearing of it while it lives: say it
    /// again when it has gone.
    pub(crate) fn shut_down(&self) {
        self.calls.over.store(true, Ordering::Release);
        self.end();
        self.requests.rouse();
    }

    /// Nobody takes another request, and nobody waits for the answers of those that run.
    fn end(&self) {
        self.leadership.close();
        self.calls.cancel_all();
    }

    fn add(self: &Arc<Self>) -> io::Result<()> {
        let running = Arc::new(Running::default());
        self.calls.running.write().push(running.clone());
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let place = Place { workers: self.clone(), running };
        let run_in = self.config.run_in;
        // A thread that can't be made drops the closure, and the place with it.
        let work = move || run_in(&mut || place.workers.work(&place.running));
        thread::Builder::new().name(format!("{}-{number}", self.config.name)).spawn(work).map(drop)
    }

    fn work(self: &Arc<Self>, running: &Running) {
        let (mut taken, mut memory) = (R::Taken::default(), Vec::new());
        while let Turn::Lead(ear) = self.leadership.follow(IDLE) {
            if let Err(broken) = self.lead(ear, &mut taken, running, &mut memory) {
                self.report(&broken);
            }
        }
    }

    /// Takes and runs requests for as long as the ear stays with this worker.
    fn lead(
        self: &Arc<Self>,
        mut ear: Box<R::Ear>,
        taken: &mut R::Taken,
        running: &Running,
        memory: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        while self.requests.take(&mut ear, taken, &self.calls)? {
            let busy = Busy::begin(self);
            // Before another may hear that this one's caller has gone.
            running.begin(self.requests.call(taken)?);
            let more = self.requests.has_more(&ear);
            let (meanwhile, alone) = self.leadership.lay_down(ear, more);
            if alone {
                self.add_follower();
            }
            let began = Deadline::now();
            let ran = self.run(taken, running, memory);
            let mine = self.leadership.take_back(meanwhile, Deadline::now().since(began));
            ran?;
            let Some(mine) = mine else { return self.go_on(busy, taken, running, memory) };
            ear = mine;
        }
        Ok(())
    }

    /// Another leads: runs what lies ready, for which nobody has to be woken.
    fn go_on(
        &self,
        busy: Busy<'_, R>,
        taken: &mut R::Taken,
        running: &Running,
        memory: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        while !self.calls.is_over() && self.requests.take_beside(taken)? {
            let call = self.requests.call(taken)?;
            running.begin(call);
            // Whoever leads may have heard of it before there was anybody to tell.
            if self.requests.has_gone(taken) {
                running.cancel(call);
            }
            self.run(taken, running, memory)?;
        }
        drop(busy);
        // Whoever leads may have found that as many run as may.
        self.requests.has_room();
        Ok(())
    }

    fn add_follower(self: &Arc<Self>) {
        if self.count.load(Ordering::Relaxed) <= self.config.running_max
            && let Err(error) = self.add()
        {
            // Without another thread the next request waits until this one is done, which is slow and not wrong.
            tracing::warn!(%error, "no thread for another worker");
        }
    }

    fn run(&self, taken: &mut R::Taken, running: &Running, memory: &mut Vec<u8>) -> Result<(), Broken> {
        let (request, payload, room) = self.requests.read(taken)?;
        let (deadline, cancelled) = (Deadline::from_monotonic_ns(request.deadline_ns), running.cancelled());
        let Request { call, actor, operation, .. } = request;
        let incoming = Incoming { call, actor, operation, payload, deadline, cancelled: &cancelled };
        let mut answer = Answer::new(room, memory);
        let result = serving::run(&*self.service, &incoming, self.config.payload_bytes_max, &mut answer);
        running.end();
        let answered = self.requests.answer(taken, result, answer.written(), &self.calls);
        R::shrink(taken);
        shrink(memory);
        answered
    }

    fn report(&self, broken: &Broken) {
        if !self.calls.over.swap(true, Ordering::AcqRel) {
            self.end();
            (self.on_broken)(broken);
        }
    }
}
