//! Loading and serving. At each stage something is due; the fault of that stage says it wrongly.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use cofferdam_channel::control::{ControlError, ControlReceiver};
use cofferdam_channel::protocol::control::{HostMessage, ShimMessage};
use cofferdam_faults::{ShimFault, Stage};

use crate::calls;
use crate::orders::Orders;
use crate::wrong::{Due, say, say_wrongly};

/// What the threads share.
pub(crate) struct World {
    /// What is said on the control socket, by one at a time.
    pub(crate) control: Mutex<UnixStream>,
    pub(crate) up: UnixStream,
    down: UnixStream,
    pub(crate) crash: File,
    orders: Orders,
    begun: AtomicBool,
    done: AtomicBool,
    /// Answers that wait for the end.
    lingering: Mutex<Vec<Vec<u8>>>,
    _library: OwnedFd,
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Takes what comes with `Load`, and says that it is loaded.
pub(crate) fn load(receiver: &mut ControlReceiver, control: UnixStream, orders: Orders) -> Outcome<Arc<World>> {
    let (message, mut descriptors) = receiver.receive()?;
    let HostMessage::Load { .. } = message else { return Err(format!("{message:?} came instead of Load").into()) };
    let mut next = || descriptors.pop_front().ok_or("Load came without its descriptors");
    let (library, down, up) = (next()?, UnixStream::from(next()?), UnixStream::from(next()?));
    let crash = File::from(next()?);
    let world = Arc::new(World {
        control: Mutex::new(control.try_clone()?),
        up,
        down,
        crash,
        orders,
        begun: AtomicBool::new(false),
        done: AtomicBool::new(false),
        lingering: Mutex::default(),
        _library: library,
    });
    let loaded = ShimMessage::Loaded { name: "rogue shim".to_owned(), concurrency: 2 };
    world.tell(&control, Stage::Loading, &loaded, &loaded)?;
    Ok(world)
}

/// Serves until the host goes away.
pub(crate) fn serve(receiver: &mut ControlReceiver, world: &Arc<World>) -> Outcome {
    let control = world.control.lock().map_err(|_| "another thread panicked")?.try_clone()?;
    let called = world.clone();
    thread::Builder::new().name("calls".to_owned()).spawn(move || {
        // It ends when the host ends it.
        let ended = called.take_calls();
        eprintln!("cofferdam-rogue-shim: calls: {ended:?}");
    })?;
    loop {
        let message = match receiver.receive() {
            Ok((message, _)) => message,
            Err(ControlError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let (stage, good, unasked) = match message {
            HostMessage::Bind { request, .. } => {
                let bound = |request| ShimMessage::Bound { request, rejection: None };
                (Stage::Binding, bound(request), bound(request + 1_000_000))
            }
            HostMessage::Health { request } => {
                let report = |request| ShimMessage::HealthReport { request, complaint: None };
                (Stage::Ready, report(request), report(request + 1_000_000))
            }
            HostMessage::Unbind { request, .. } => {
                say(&due(&control, &ShimMessage::Unbound { request })?)?;
                continue;
            }
            HostMessage::Drain { .. } => (Stage::Draining, ShimMessage::Drained, ShimMessage::Drained),
            _ => continue,
        };
        world.tell(&control, stage, &good, &unasked)?;
        if stage == Stage::Draining {
            world.answer_lingering()?;
        }
    }
}

fn due<'a>(socket: &'a UnixStream, message: &ShimMessage) -> Outcome<Due<'a>> {
    let frame = message.to_frame()?;
    Ok(Due { socket, unasked: frame.clone(), frame })
}

impl World {
    /// What to do wrong now: once.
    fn wrong(&self, stage: Stage) -> Option<ShimFault> {
        let fault = self.orders.at(stage)?;
        (!self.begun.swap(true, Ordering::AcqRel)).then_some(fault)
    }

    fn tell(&self, control: &UnixStream, stage: Stage, good: &ShimMessage, unasked: &ShimMessage) -> Outcome {
        let due = Due { unasked: unasked.to_frame()?, ..due(control, good)? };
        match self.wrong(stage) {
            Some(fault) => {
                say_wrongly(fault, &due, self)?;
                self.done.store(true, Ordering::Release);
                Ok(())
            }
            None => Ok(say(&due)?),
        }
    }

    fn take_calls(&self) -> io::Result<()> {
        loop {
            let Some(begun) = calls::begin(&self.down)? else { continue };
            let (call, operation) = (begun.call, begun.operation.clone());
            let wrong = if operation == "Act" { self.wrong(Stage::Calling) } else { None };
            if wrong == Some(ShimFault::StopsReading) {
                crate::hang();
            }
            let payload = begun.finish(&self.down)?;
            let answer = match operation.as_str() {
                "Acted" if self.done.load(Ordering::Acquire) => b"done".to_vec(),
                "Acted" => b"nothing".to_vec(),
                "Lingering" if self.lingering().is_empty() => b"no".to_vec(),
                "Lingering" => b"yes".to_vec(),
                _ => payload,
            };
            let frame = calls::reply(call, &answer)?;
            if operation == "Linger" {
                self.lingering().push(frame);
                continue;
            }
            let due = Due { socket: &self.down, frame, unasked: calls::reply(call + 1_000_000, &answer)? };
            match wrong {
                Some(fault) => {
                    say_wrongly(fault, &due, self)?;
                    self.done.store(true, Ordering::Release);
                }
                None => say(&due)?,
            }
        }
    }

    fn lingering(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.lingering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_lingering(&self) -> io::Result<()> {
        let mut down = &self.down;
        self.lingering().drain(..).try_for_each(|frame| down.write_all(&frame))
    }
}
