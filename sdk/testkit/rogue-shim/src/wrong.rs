//! What a shim does wrong when it has something to say.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use cofferdam_channel::descriptors;
use cofferdam_channel::protocol::control::{ShimMessage, Want};
use cofferdam_faults::ShimFault;

use crate::calls;
use crate::hang;
use crate::spoil::resize;
use crate::world::World;

/// Frames of a flood: more than any buffer holds.
const FLOOD: u64 = 20_000;

/// Something is to be said.
pub(crate) struct Due<'a> {
    /// Where.
    pub(crate) socket: &'a UnixStream,
    /// The frame that a good shim sends now.
    pub(crate) frame: Vec<u8>,
    /// The same, about what was never asked.
    pub(crate) unasked: Vec<u8>,
}

/// Says it as a good shim would.
pub(crate) fn say(due: &Due<'_>) -> io::Result<()> {
    let mut socket = due.socket;
    socket.write_all(&due.frame)
}

/// Says it as a good shim would, after what was wrong: whoever hears it may ask at once whether that was done.
pub(crate) fn say_at_last(due: &Due<'_>, world: &World) -> io::Result<()> {
    world.has_done_wrong();
    say(due)
}

/// Says it wrongly. Whatever can be said well afterwards is.
pub(crate) fn say_wrongly(fault: ShimFault, due: &Due<'_>, world: &World) -> io::Result<()> {
    let mut socket = due.socket;
    let half = &due.frame[..due.frame.len() / 2];
    match fault {
        ShimFault::DuplicateReply => {
            say(due)?;
            say_at_last(due, world)
        }
        ShimFault::UnknownCallId => {
            socket.write_all(&due.unasked)?;
            say_at_last(due, world)
        }
        ShimFault::OversizeFrame => {
            socket.write_all(&u32::MAX.to_le_bytes())?;
            socket.write_all(&[0; 4096])?;
            hang()
        }
        ShimFault::TruncatedFrame => {
            socket.write_all(half)?;
            socket.shutdown(Shutdown::Both)?;
            hang()
        }
        ShimFault::GarbageFrame => {
            socket.write_all(&64_u32.to_le_bytes())?;
            socket.write_all(&[0xff; 64])?;
            hang()
        }
        ShimFault::StallsMidFrame => {
            socket.write_all(half)?;
            hang()
        }
        ShimFault::StopsReading => hang(),
        ShimFault::SendsDescriptors => {
            world.has_done_wrong();
            send_with_descriptors(socket, &due.frame)
        }
        ShimFault::DoorbellFlood => {
            // Advice about calls that were never made: each is read, and nothing follows from it.
            let mut up = &world.up;
            (1..=FLOOD).try_for_each(|call| up.write_all(&calls::cancel(call)))?;
            say_at_last(due, world)
        }
        ShimFault::ControlFlood => {
            flood_control(world)?;
            say_at_last(due, world)
        }
        ShimFault::LaneCorruption => {
            // The pipe for what is left by a process that dies is all that both have where there are no lanes.
            (&world.crash).write_all(&[0xa5; 4096])?;
            std::process::abort()
        }
        ShimFault::TakesNoCalls => {
            say(due)?;
            hang()
        }
        ShimFault::ResizesMemory => {
            resize(&world.library)?;
            say_at_last(due, world)
        }
        ShimFault::ExitBeforeHello
        | ShimFault::HangBeforeHello
        | ShimFault::WrongMagic
        | ShimFault::WrongVersion
        | ShimFault::StaleGeneration
        | ShimFault::Unconfined => Err(io::Error::other("this is done while greeting")),
    }
}

/// Lines for the log, and questions whose answers nobody reads.
fn flood_control(world: &World) -> io::Result<()> {
    let mut control = world.control.lock().map_err(|_| io::Error::other("another thread panicked"))?;
    for request in 1..=FLOOD {
        let want = Want::File { name: "of somebody else".to_owned(), writable: true };
        let line = "a line that nobody has asked for".to_owned();
        for message in [ShimMessage::Log { level: 0, line, dropped: 0 }, ShimMessage::Ask { request, want }] {
            let frame = message.to_frame().map_err(io::Error::other)?;
            control.write_all(&frame)?;
        }
    }
    Ok(())
}

/// Says it, and sends its standard output along, more than once.
pub(crate) fn send_with_descriptors(socket: &UnixStream, frame: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    let sent = descriptors::send(socket.as_fd(), frame, &[stdout.as_fd(); 4])?;
    let mut socket = socket;
    socket.write_all(&frame[sent..])
}
