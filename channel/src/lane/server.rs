//! Requests that lie in lanes.
#![allow(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cofferdam_protocol::call::{CallId, Fault, Request};
use cofferdam_protocol::limits::{ACTOR_BYTES_MAX, OPERATION_BYTES_MAX};

use super::futex::RealFence;
use super::processor::{HABIT, copying, processor};
use super::region::{Field, Region};
use super::word::{self, Progress};
use crate::answer::Written;
use crate::patience::Patience;
use crate::serving::shrink;
use crate::workers::{Calls, Read, Requests};
use crate::{Broken, Deadline, OnBroken, Server, ServerConfig, Service};

/// How long a caller may take to make room for an answer that is longer than the lane that it asked.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the lanes of `region`. `on_broken` is told, once, when the peer writes what may not stand there; its threads end
/// by themselves then.
pub fn serve(
    region: Arc<Region>,
    service: Arc<dyn Service>,
    config: ServerConfig,
    on_broken: OnBroken,
) -> io::Result<Server> {
    let lanes = Lanes { region, last: AtomicUsize::new(0), payload_bytes_max: config.payload_bytes_max as usize };
    let ear = Ear { lane: 0, patience: Patience::new(HABIT), caller_processor: None, bytes: 0, called_by_loop: false };
    Server::start((lanes, ear), service, config, on_broken)
}

/// Requests in lanes, and the way of their answers.
struct Lanes {
    region: Arc<Region>,
    /// The last that was taken. The next is where to look first, whoever does: so each is passed over once by each other.
    last: AtomicUsize,
    payload_bytes_max: usize,
}

/// Whoever has it waits at the bell.
struct Ear {
    /// The last that its worker has taken.
    lane: usize,
    patience: Patience,
    /// Where the last thread that called did so.
    caller_processor: Option<u32>,
    /// What the last argument took: the next is as long, most often.
    bytes: usize,
    /// A loop called last. It has others to do, and is not looked for.
    called_by_loop: bool,
}

/// One request, as it was taken.
struct Taken {
    lane: usize,
    call: CallId,
    deadline: Deadline,
    /// The actor's name, of so many bytes, and the operation's.
    names: Vec<u8>,
    actor_bytes: usize,
    bytes: usize,
    /// A copy, where the caller is not believed.
    payload: Vec<u8>,
}

impl Default for Taken {
    fn default() -> Self {
        let (names, payload) = (Vec::new(), Vec::new());
        Self { lane: 0, call: 0, deadline: Deadline::NEVER, names, actor_bytes: 0, bytes: 0, payload }
    }
}

impl Taken {
    fn request(&self) -> Result<Request<'_>, Broken> {
        let (actor, operation) = self.names.split_at(self.actor_bytes);
        let text = |bytes| str::from_utf8(bytes).map_err(|_| Broken::Lane("a name is no text"));
        let (actor, operation) = (text(actor)?, text(operation)?);
        Ok(Request { call: self.call, deadline_ns: self.deadline.as_monotonic_ns(), actor, operation })
    }
}

impl Requests for Lanes {
    type Ear = Ear;
    type Taken = Taken;

    fn take(&self, ear: &mut Ear, taken: &mut Taken, calls: &Calls) -> Result<bool, Broken> {
        while !calls.is_over() {
            self.hear_who_has_gone(calls);
            if calls.is_full() {
                self.sleep_full(calls);
                continue;
            }
            match self.look(ear) {
                Some(lane) => {
                    self.copy(lane, taken)?;
                    self.note(ear, taken);
                    return Ok(true);
                }
                None => self.sleep(calls),
            }
        }
        Ok(false)
    }

    fn take_beside(&self, taken: &mut Taken) -> Result<bool, Broken> {
        match self.region.bell().take(self.from()) {
            Some(lane) => self.copy(lane, taken).map(|()| true),
            None => Ok(false),
        }
    }

    fn has_gone(&self, taken: &Taken) -> bool {
        word::is_given_up(self.region.word(taken.lane))
    }

    fn has_room(&self) {
        self.region.bell().has_room::<RealFence>();
    }

    fn has_more(&self, _: &Ear) -> bool {
        false
    }

    fn call(&self, taken: &Taken) -> Result<CallId, Broken> {
        Ok(taken.call)
    }

    fn read<'a>(&'a self, taken: &'a Taken) -> Result<Read<'a>, Broken> {
        let request = taken.request()?;
        if !self.region.is_believed() {
            return Ok((request, &taken.payload, &mut []));
        }
        // SAFETY: it is believed. The lane is ours since it was taken and until it is answered, this worker alone has
        // taken it, and lets go of both before it answers.
        let (argument, answer) = unsafe { self.region.in_place(taken.lane, taken.bytes) };
        Ok((request, argument, answer))
    }

    fn answer(
        &self,
        taken: &Taken,
        result: Result<(), Fault>,
        answer: Written<'_>,
        calls: &Calls,
    ) -> Result<(), Broken> {
        let (region, lane) = (&self.region, taken.lane);
        let (mut result, mut answer) = (result, answer);
        if let (Err(_), Written::Apart(words)) = (result, answer) {
            // Where limits are small, words are cut.
            answer = Written::Apart(&words[..words.len().min(region.layout().slab_bytes_max())]);
        }
        let mut room = lane;
        // Before the lane is the caller's again.
        let mailbox = region.get(lane, Field::Mailbox).checked_sub(1);
        let tell = || mailbox.into_iter().for_each(|mailbox| region.tell_mailbox(mailbox as usize, lane));
        region.set(lane, Field::Bytes, answer.len() as u32);
        if answer.len() > region.slab_bytes(lane) {
            // The deadline is the caller's word.
            let until = taken.deadline.min(Deadline::after(ROOM_TIMEOUT));
            if word::want_more(region.word(lane), until, (tell, || calls.is_over())) {
                room = self.room(lane, answer.len())?;
            } else {
                // Nobody waits for it any more.
                (result, answer) = (Err(Fault::Late), Written::Apart(&[]));
                region.set(lane, Field::Bytes, 0);
            }
        }
        if let Written::Apart(answer) = answer {
            region.write_answer(room, answer);
        }
        // Here, where the lane is written to anyway: its caller may be looking at it since it asked.
        region.set(lane, Field::CalleeProcessor, processor().map_or(0, |processor| processor + 1));
        region.set(lane, Field::Outcome, result.map_or_else(|fault| fault as u32 + 1, |()| 0));
        word::answer(region.word(lane));
        tell();
        Ok(())
    }

    fn shrink(taken: &mut Taken) {
        shrink(&mut taken.payload);
    }

    fn rouse(&self) {
        self.region.bell().rouse_surely();
        (0..self.region.layout().lanes()).for_each(|lane| word::rouse(self.region.word(lane)));
    }
}

impl Lanes {
    /// Takes what was rung for, and looks a while where that pays.
    fn look(&self, ear: &mut Ear) -> Option<usize> {
        let bell = self.region.bell();
        let lane = bell.take(self.from());
        // On one processor it can't ask while we look.
        let is_apart = ear.caller_processor.is_some() && ear.caller_processor != processor();
        if lane.is_none() && is_apart && !ear.called_by_loop {
            // Whoever was woken for the last answer, and has not looked at it yet, is not about to ask.
            let is_awake = || word::look(self.region.word(ear.lane)) != Progress::Answered;
            return ear.patience.look_beyond(copying(ear.bytes), is_awake, || bell.take(self.from()));
        }
        lane
    }

    fn from(&self) -> usize {
        self.last.load(Ordering::Relaxed) + 1
    }

    /// What is worth to know of a call for the next.
    fn note(&self, ear: &mut Ear, taken: &Taken) {
        let (region, lane) = (&self.region, taken.lane);
        (ear.lane, ear.bytes) = (lane, taken.bytes);
        ear.called_by_loop = region.get(lane, Field::Mailbox) != 0;
        let caller = region.get(lane, Field::CallerProcessor).checked_sub(1);
        if !ear.called_by_loop && caller != ear.caller_processor {
            ear.caller_processor = caller;
            // Who is not believed could have us look all the time.
            if region.is_believed() {
                ear.patience.begin_anew();
            }
        }
    }

    fn copy(&self, lane: usize, taken: &mut Taken) -> Result<(), Broken> {
        let region = &self.region;
        if lane >= region.layout().lanes() || !word::is_asked(region.word(lane)) {
            return Err(Broken::Lane("it rang for a lane that it has not asked"));
        }
        taken.lane = lane;
        self.last.store(lane, Ordering::Relaxed);
        taken.call = region.call(lane).load(Ordering::Relaxed);
        taken.deadline = Deadline::from_monotonic_ns(region.deadline(lane).load(Ordering::Relaxed));
        let names = [Field::ActorBytes, Field::OperationBytes].map(|field| region.get(lane, field) as usize);
        if taken.call == 0 || names[0] > ACTOR_BYTES_MAX || names[1] > OPERATION_BYTES_MAX {
            return Err(Broken::Lane("it asked for what no call is"));
        }
        taken.actor_bytes = names[0];
        region.read_names(lane, names, &mut taken.names);
        let bytes = region.get(lane, Field::Bytes) as usize;
        if bytes > region.slab_bytes(lane) || bytes > self.payload_bytes_max {
            return Err(Broken::Lane("the argument is longer than may be"));
        }
        taken.bytes = bytes;
        if !region.is_believed() {
            region.read_argument(lane, bytes, &mut taken.payload);
        }
        Ok(())
    }

    fn sleep(&self, calls: &Calls) {
        let is_wanted = || self.region.gone().is_rung() || calls.is_over();
        self.region.bell().sleep_unless::<RealFence>(Deadline::NEVER, is_wanted);
    }

    fn sleep_full(&self, calls: &Calls) {
        let is_wanted = || self.region.gone().is_rung() || calls.is_over() || !calls.is_full();
        self.region.bell().sleep_full::<RealFence>(is_wanted);
    }

    fn hear_who_has_gone(&self, calls: &Calls) {
        // A caller could ring for ever.
        for _ in 0..self.region.layout().lanes() {
            let Some(lane) = self.region.gone().take(0) else { return };
            if lane >= self.region.layout().lanes() {
                continue;
            }
            let call = self.region.call(lane).load(Ordering::Acquire);
            // If it is still so, the number was that of the call whose caller has gone.
            if word::is_given_up(self.region.word(lane)) {
                calls.cancel(call);
            }
        }
    }

    /// Where the caller wants an answer that was too long for the lane of its call.
    fn room(&self, lane: usize, bytes: usize) -> Result<usize, Broken> {
        let room = self.region.get(lane, Field::AnswerLane) as usize;
        if room >= self.region.layout().lanes() || bytes > self.region.slab_bytes(room) {
            return Err(Broken::Lane("it gave less room than was asked for"));
        }
        Ok(room)
    }
}
