//! Loading and serving. At each stage something is due; the fault of that stage says it wrongly.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use cofferdam_channel::control::{ControlError, ControlReceiver};
use cofferdam_channel::lane::Region;
use cofferdam_channel::protocol::control::{HostMessage, ShimMessage};
use cofferdam_faults::{Fault, ShimFault, Stage};

use crate::lanes::{Lanes, Way};
use crate::orders::Orders;
use crate::world::{History, World};
use crate::wrong::{Due, say, say_at_last, say_wrongly};
use crate::{called, calls, noise};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Takes what comes with `Lanes` and `Load`, and says that it is loaded.
pub(crate) fn load(receiver: &mut ControlReceiver, control: UnixStream, orders: Orders) -> Outcome<Arc<World>> {
    let (mut message, mut descriptors) = receiver.receive()?;
    let (mut lanes, mut region) = (None, None::<Region>);
    if matches!(message, HostMessage::Lanes) {
        let mut next = || descriptors.pop_front().ok_or("Lanes came without its descriptors");
        let ((down, calls), (up, _)) = (Way::map(next()?)?, Way::map(next()?)?);
        (lanes, region) = (Some(Lanes { down, up }), Some(calls));
        (message, descriptors) = receiver.receive()?;
    }
    let HostMessage::Load { .. } = message else { return Err(format!("{message:?} came instead of Load").into()) };
    let mut next = || descriptors.pop_front().ok_or("Load came without its descriptors");
    let (library, down, up) = (next()?, UnixStream::from(next()?), UnixStream::from(next()?));
    let crash = File::from(next()?);
    let world = Arc::new(World {
        control: Mutex::new(control.try_clone()?),
        up,
        down,
        lanes,
        crash,
        library,
        orders,
        server: OnceLock::new(),
        history: History::default(),
    });
    if let Some(region) = region {
        called::serve(region, &world)?;
    }
    let loaded = ShimMessage::Loaded { name: "rogue shim".to_owned(), concurrency: 2 };
    tell(&world, &control, Stage::Loading, (&loaded, &loaded))?;
    Ok(world)
}

/// Serves until the host goes away.
pub(crate) fn serve(receiver: &mut ControlReceiver, world: &Arc<World>) -> Outcome {
    let control = world.control.lock().map_err(|_| "another thread panicked")?.try_clone()?;
    if world.lanes.is_none() {
        let called = world.clone();
        thread::Builder::new().name("calls".to_owned()).spawn(move || {
            // It ends when the host ends it.
            let ended = calls::take_calls(&called);
            eprintln!("cofferdam-rogue-shim: calls: {ended:?}");
        })?;
    }
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
        tell(world, &control, stage, (&good, &unasked))?;
        if stage == Stage::Draining {
            let mut down = &world.down;
            world.end_lingering().iter().try_for_each(|frame| down.write_all(frame))?;
        }
    }
}

fn due<'a>(socket: &'a UnixStream, message: &ShimMessage) -> Outcome<Due<'a>> {
    let frame = message.to_frame()?;
    Ok(Due { socket, unasked: frame.clone(), frame })
}

fn tell(world: &World, control: &UnixStream, stage: Stage, (good, unasked): (&ShimMessage, &ShimMessage)) -> Outcome {
    let due = Due { unasked: unasked.to_frame()?, ..due(control, good)? };
    match (world.wrong(stage), &world.lanes) {
        (None, _) => return Ok(say(&due)?),
        // What is shared, and where it rings, differs.
        (Some(Fault::Shim(ShimFault::LaneCorruption)), Some(lanes)) => noise::corrupt(world, lanes),
        (Some(Fault::Shim(ShimFault::DoorbellFlood)), Some(lanes)) => {
            noise::flood(lanes)?;
            say_at_last(&due, world)?;
        }
        (Some(Fault::Shim(fault)), _) => say_wrongly(fault, &due, world)?,
        (Some(fault), _) => return Err(format!("{fault:?} is not done on the control socket").into()),
    }
    Ok(())
}
