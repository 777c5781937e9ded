//! The answering end: workers of which one waits at the bell, as `leadership.rs` decides, and all run what they have taken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cofferdam_protocol::call::{Fault, Header};
use parking_lot::RwLock;

use super::futex::RealFence;
use super::patience::{Patience, processor};
use super::region::{Field, Region};
use super::word;
use crate::leadership::{Leadership, Turn};
use crate::running::Running;
use crate::serving::{self, shrink};
use crate::socket::{Broken, OnBroken, ServerConfig};
use crate::{Deadline, Incoming, Service};

/// How long an idle worker stays, beyond the one that waits at the bell.
const IDLE: Duration = Duration::from_secs(10);

/// The answering end of one direction, in lanes.
pub struct LaneServer {
    region: Arc<Region>,
    leadership: Leadership<Ear>,
    /// The calls that run, one place for each worker, so that whoever hears of a caller that has gone finds its call.
    running: RwLock<Vec<Arc<Running>>>,
    workers: AtomicUsize,
    over: AtomicBool,
    service: Arc<dyn Service>,
    config: ServerConfig,
    on_broken: OnBroken,
}

/// The right to take requests.
struct Ear {
    /// Where to look first, so that no lane is passed over for ever.
    from: usize,
    patience: Patience,
    /// Where the last call came from.
    caller_processor: Option<u32>,
}

/// One request, as it was taken.
#[derive(Default)]
struct Taken {
    lane: usize,
    header: Vec<u8>,
    payload: Vec<u8>,
}

/// A worker that is counted. Dropping it, however the worker ends, takes it out again.
struct Place {
    server: Arc<LaneServer>,
    running: Arc<Running>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.running.write().retain(|other| !Arc::ptr_eq(other, &self.running));
        self.server.workers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LaneServer {
    /// Serves the lanes of `region`. `on_broken` is told, once, when the peer writes what may not stand there; workers end
    /// by themselves then.
    pub fn start(
        region: Arc<Region>,
        service: Arc<dyn Service>,
        config: ServerConfig,
        on_broken: OnBroken,
    ) -> io::Result<Arc<Self>> {
        let server = Arc::new(Self {
            region,
            leadership: Leadership::new(Ear { from: 0, patience: Patience::default(), caller_processor: None }),
            running: RwLock::default(),
            workers: AtomicUsize::new(0),
            over: AtomicBool::new(false),
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

    /// Takes no more; workers end when what they run has ended.
    pub fn shut_down(&self) {
        self.over.store(true, Ordering::Release);
        self.leadership.close();
        self.running.read().iter().for_each(|running| running.cancel_any());
        self.region.bell().rouse::<RealFence>();
    }

    fn add_worker(self: &Arc<Self>) -> io::Result<()> {
        let running = Arc::new(Running::default());
        self.running.write().push(running.clone());
        let number = self.workers.fetch_add(1, Ordering::Relaxed) + 1;
        let place = Place { server: self.clone(), running };
        let run_in = self.config.run_in;
        // A thread that can't be made drops the closure, and the place with it.
        let work = move || run_in(&mut || place.server.work(&place.running));
        thread::Builder::new().name(format!("{}-{number}", self.config.name)).spawn(work).map(drop)
    }

    fn work(self: &Arc<Self>, running: &Running) {
        let (mut taken, mut answer) = (Taken::default(), Vec::new());
        while let Turn::Lead(ear) = self.leadership.follow(IDLE) {
            if let Err(broken) = self.lead(ear, &mut taken, running, &mut answer) {
                self.report(&broken);
            }
        }
    }

    /// Takes and runs requests for as long as the ear stays with this worker.
    fn lead(
        self: &Arc<Self>,
        mut ear: Box<Ear>,
        taken: &mut Taken,
        running: &Running,
        answer: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        while self.take(&mut ear, taken)? {
            let call = self.region.call(taken.lane).load(Ordering::Relaxed);
            // Before another may hear that this one's caller has gone.
            running.begin(call);
            let (meanwhile, alone) = self.leadership.lay_down(ear, false);
            if alone {
                self.add_follower();
            }
            let began = Deadline::now();
            let ran = self.run(taken, running, answer);
            shrink(&mut taken.payload);
            shrink(answer);
            let mine = self.leadership.take_back(meanwhile, Deadline::now().since(began));
            ran?;
            match mine {
                Some(mine) => ear = mine,
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

    /// Waits at the bell until there is a request, and copies it. False when it is over.
    fn take(&self, ear: &mut Ear, taken: &mut Taken) -> Result<bool, Broken> {
        let bell = self.region.bell();
        while !self.over.load(Ordering::Acquire) {
            self.hear_who_has_gone();
            let from = ear.from;
            let mut taken_lane = bell.take(from);
            let own = processor();
            // On one processor it can't ask while we look.
            if taken_lane.is_none() && ear.caller_processor.is_some() && ear.caller_processor != own {
                ear.patience.look(|| {
                    taken_lane = bell.take(from);
                    taken_lane.is_some()
                });
            }
            let Some(lane) = taken_lane else {
                self.sleep();
                continue;
            };
            if lane >= self.region.layout().lanes() || !word::is_asked(self.region.word(lane)) {
                return Err(Broken::Lane("it rang for a lane that it has not asked"));
            }
            ear.from = lane + 1;
            self.region.set(lane, Field::CalleeProcessor, own.map_or(0, |processor| processor + 1));
            let caller = self.region.get(lane, Field::CallerProcessor).checked_sub(1);
            if caller != ear.caller_processor {
                ear.caller_processor = caller;
                ear.patience.begin_anew();
            }
            taken.lane = lane;
            self.region.read_header(lane, self.region.get(lane, Field::HeaderBytes) as usize, &mut taken.header);
            let bytes = self.region.get(lane, Field::Bytes) as usize;
            if bytes > self.region.slab_bytes(lane) || bytes > self.config.payload_bytes_max as usize {
                return Err(Broken::Lane("the argument is longer than may be"));
            }
            self.region.read(lane, bytes, &mut taken.payload);
            return Ok(true);
        }
        Ok(false)
    }

    fn sleep(&self) {
        self.region.bell().sleep_unless::<RealFence>(Deadline::NEVER, || {
            self.region.gone().is_rung() || self.over.load(Ordering::Acquire)
        });
    }

    fn hear_who_has_gone(&self) {
        while let Some(lane) = self.region.gone().take(0).filter(|lane| *lane < self.region.layout().lanes()) {
            let call = self.region.call(lane).load(Ordering::Acquire);
            // If it is still so, the number was that of the call whose caller has gone.
            if word::is_given_up(self.region.word(lane)) {
                self.running.read().iter().for_each(|running| running.cancel(call));
            }
        }
    }

    fn run(&self, taken: &Taken, running: &Running, answer: &mut Vec<u8>) -> Result<(), Broken> {
        let (header, _) = Header::read(&taken.header)?;
        let Header::Request(request) = header else { return Err(Broken::WrongWay("message that is no request")) };
        let cancelled = running.cancelled();
        let incoming = Incoming {
            call: request.call,
            actor: request.actor,
            operation: request.operation,
            payload: &taken.payload,
            deadline: Deadline::from_monotonic_ns(request.deadline_ns),
            cancelled: &cancelled,
        };
        let result = serving::run(&*self.service, &incoming, self.config.payload_bytes_max, answer);
        running.end();
        self.answer(taken.lane, result, answer, incoming.deadline)
    }

    fn answer(&self, lane: usize, result: Result<(), Fault>, answer: &[u8], deadline: Deadline) -> Result<(), Broken> {
        let region = &self.region;
        let word = region.word(lane);
        region.set(lane, Field::Bytes, answer.len() as u32);
        let mut room = lane;
        if answer.len() > region.slab_bytes(lane) {
            if !word::want_more(word, deadline) {
                // Nobody waits for it any more.
                region.set(lane, Field::Outcome, Fault::Late as u32 + 1);
                region.set(lane, Field::Bytes, 0);
                word::answer(word);
                return Ok(());
            }
            room = region.get(lane, Field::AnswerLane) as usize;
            if room >= region.layout().lanes() || answer.len() > region.slab_bytes(room) {
                return Err(Broken::Lane("it gave less room than was asked for"));
            }
        }
        region.write(room, answer);
        region.set(lane, Field::Outcome, result.map_or_else(|fault| fault as u32 + 1, |()| 0));
        word::answer(word);
        Ok(())
    }

    fn report(&self, broken: &Broken) {
        if !self.over.swap(true, Ordering::AcqRel) {
            self.leadership.close();
            self.running.read().iter().for_each(|running| running.cancel_any());
            (self.on_broken)(broken);
        }
    }
}
