//! Threads apart from the callers: where the code of an unmetered actor runs. It can't be ended, so a caller must be able
//! to go without it.
//!
//! A call takes an idle thread, or a new one up to the limit, or waits for one. Its caller waits until the deadline and
//! goes then; the call is a runaway from that moment, on the lowest priority, and its thread ends with it. Here nothing is
//! known of WebAssembly. A thread that is never free again is lost until the process ends.

mod slot;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::runaways::{HostRunaways, Runaways, TooMany};
use crate::words::Deadline;
use slot::{Left, Slot};

/// A thread that had nothing to do for so long ends.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Calls that may wait for one thread, as a multiple of the limit.
const WAITING_PER_THREAD: usize = 4;
/// What a guest that ends at its deadline, in a host call for instance, has to say so itself.
const GRACE: Duration = Duration::from_millis(5);

/// The threads of one actor.
pub(super) struct Apart {
    threads: Arc<Threads>,
    runaways: Runaways,
    limit: u32,
}

struct Threads {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(u64, Job)>,
    numbered: u64,
    threads: u32,
    idle: u32,
    closed: bool,
}

type Job = Box<dyn FnOnce() -> Fate + Send>;

/// What becomes of a thread after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It takes the next.
    Serves,
    /// It ends: it has the lowest priority now, and may not raise that.
    Ends,
}

/// Why a call did not end in its time.
#[derive(Debug)]
pub(super) enum Gone {
    /// No thread became free for it, or too many wait already.
    Full,
    /// It did not begin: too many that have begun run on.
    TooMany(TooMany),
    /// It began, and runs on.
    RunsOn,
    /// There is no thread, and none can be started.
    NoThread(io::Error),
    /// It panicked.
    Panicked(String),
}

impl Apart {
    /// At most `limit` threads, runaways among them.
    pub(super) fn new(limit: u32, all: HostRunaways) -> Self {
        let (limit, state) = (limit.max(1), Mutex::new(State::default()));
        let threads = Arc::new(Threads { state, work: Condvar::new() });
        Self { threads, runaways: Runaways::new(limit, all), limit }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Calls that run on after their deadline.
    pub(super) fn runaways(&self) -> u32 {
        self.runaways.of_actor()
    }

    /// Runs it on a thread apart, and waits for it until the deadline.
    pub(super) fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.runaways.check().map_err(Gone::TooMany)?;
        let slot = Arc::new(Slot::new());
        let served = slot.clone();
        let number = self.submit(Box::new(move || served.serve(work)))?;
        match slot.wait(deadline.plus(GRACE), &self.runaways) {
            Ok(ended) => ended.map_err(Gone::Panicked),
            Err(Left::Running) => Err(Gone::RunsOn),
            Err(Left::Queued) => {
                // With what it holds: its place is needed by others.
                self.threads.state.lock().queue.retain(|(other, _)| *other != number);
                Err(Gone::Full)
            }
        }
    }

    /// Queues a job for which there is a thread, or will be.
    fn submit(&self, job: Job) -> Result<u64, Gone> {
        let mut state = self.threads.state.lock();
        if state.queue.len() >= self.limit as usize * WAITING_PER_THREAD {
            return Err(Gone::Full);
        }
        state.numbered += 1;
        let number = state.numbered;
        state.queue.push_back((number, job));
        if state.queue.len() > state.idle as usize && state.threads < self.limit {
            let started = self.threads.start(&mut state);
            // With threads that are busy there will be one.
            if let Err(error) = started
                && state.threads == 0
            {
                state.queue.pop_back();
                return Err(Gone::NoThread(error));
            }
        }
        drop(state);
        self.threads.work.notify_one();
        Ok(number)
    }
}

impl Drop for Apart {
    /// Idle threads end now, the others after their call.
    fn drop(&mut self) {
        self.threads.state.lock().closed = true;
        self.threads.work.notify_all();
    }
}

impl Threads {
    fn start(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let threads = self.clone();
        std::thread::Builder::new().name("unmetered".to_owned()).spawn(move || threads.serve())?;
        state.threads += 1;
        Ok(())
    }

    fn serve(self: &Arc<Self>) {
        while let Some(job) = self.next() {
            if job() == Fate::Ends {
                break;
            }
        }
        let mut state = self.state.lock();
        state.threads -= 1;
        // Who waits for the place of this thread gets another.
        if !state.queue.is_empty()
            && let Err(error) = self.start(&mut state)
        {
            tracing::warn!("a call of an unmetered actor waits: no thread can be started for it: {error}");
        }
    }

    /// The next job; none when there was none for long, or will be none.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some((_, job)) = state.queue.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            let waited = self.work.wait_for(&mut state, IDLE_MAX);
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                return None;
            }
        }
    }
}
