//! What a shim does wrong in the lane of a call that it has, or in the lanes in which it calls.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::thread;

use cofferdam_channel::protocol::control::ShimMessage;
use cofferdam_faults::{Fault, LaneFault, ShimFault};
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

use crate::lanes::{ANSWERED, ASKED, ASLEEP, BYTES, CLOSED, GRANTED, IDLE, Lanes, MORE, OUTCOME, STATE, WAITS, Way};
use crate::world::World;
use crate::wrong::send_with_descriptors;
use crate::{ask, hang, noise};

/// More than the lane of a short call has room for, and less than others have.
const LONG_BYTES: u32 = 100_000;

/// States and bits that no step of a shim leads to.
const NO_STATES: [u32; 7] = [IDLE, GRANTED, ASKED | 0x800, 0x200 | ASKED, 7, STATE, 0xffff_f800];

/// Does it in the middle of a call, whose number and length of answer are given. Returns if that call is to be answered as
/// if nothing had been.
pub(crate) fn spoil(fault: Fault, world: &World, (call, answer_bytes): (u64, u32)) -> io::Result<()> {
    let lanes = world.lanes.as_ref().ok_or_else(|| io::Error::other("there are no lanes"))?;
    let lane = lanes.down.lane_of(call).ok_or_else(|| io::Error::other("the call is in no lane"))?;
    let mine = Mine { down: &lanes.down, lane, answer_bytes };
    match fault {
        Fault::Shim(fault) => as_with_frames(fault, world, lanes, &mine),
        Fault::Lane(fault) => in_lanes_only(fault, world, lanes, &mine),
        Fault::Library(_) => Err(io::Error::other("a library does that")),
    }
}

/// The lane of the call.
struct Mine<'a> {
    down: &'a Way,
    lane: usize,
    answer_bytes: u32,
}

impl Mine<'_> {
    /// Hands the lane over, with these words about its answer.
    fn end(&self, word: u32, outcome: u32, bytes: u32) {
        self.down.set(self.lane, OUTCOME, outcome);
        self.down.set(self.lane, BYTES, bytes);
        self.down.say(self.lane, word);
    }
}

/// What a frame would say, said by a lane.
fn as_with_frames(fault: ShimFault, world: &World, lanes: &Lanes, mine: &Mine<'_>) -> io::Result<()> {
    match fault {
        ShimFault::DuplicateReply => {
            world.has_done_wrong();
            mine.end(ANSWERED, 0, mine.answer_bytes);
            answer_again(mine)
        }
        ShimFault::UnknownCallId => {
            for lane in lanes.down.lanes().filter(|lane| *lane != mine.lane) {
                Mine { lane, ..*mine }.end(ANSWERED, 0, 1);
            }
            Ok(())
        }
        ShimFault::OversizeFrame => {
            mine.end(ANSWERED, 0, u32::MAX);
            hang()
        }
        ShimFault::TruncatedFrame => {
            mine.down.say(mine.lane, CLOSED | ASKED);
            hang()
        }
        ShimFault::GarbageFrame => {
            mine.end(ANSWERED, 999, 0);
            hang()
        }
        ShimFault::StallsMidFrame => {
            mine.end(MORE, 0, LONG_BYTES);
            hang()
        }
        ShimFault::StopsReading => {
            world.stop_taking();
            hang()
        }
        ShimFault::TakesNoCalls => {
            // By hand: what a good shim runs when it ends is answered as given up.
            world.stop_taking();
            mine.end(ANSWERED, 0, mine.answer_bytes);
            hang()
        }
        ShimFault::SendsDescriptors => {
            // None travel in lanes, so they come with something else that is said meanwhile.
            let control = world.control.lock().map_err(|_| io::Error::other("another thread panicked"))?;
            let line = ShimMessage::Log { level: 2, line: "with descriptors".to_owned(), dropped: 0 };
            send_with_descriptors(&control, &line.to_frame().map_err(io::Error::other)?)
        }
        ShimFault::ResizesMemory => {
            resize(&world.library)?;
            for way in [&lanes.down, &lanes.up] {
                resize(&way.memory.file)?;
            }
            // Both sides slept there.
            mine.down.say(mine.lane, ASKED | WAITS);
            mine.down.memory.wake(ASLEEP);
            Ok(())
        }
        ShimFault::DoorbellFlood => noise::flood(lanes),
        ShimFault::LaneCorruption => noise::corrupt(world, lanes),
        ShimFault::ExitBeforeHello
        | ShimFault::HangBeforeHello
        | ShimFault::WrongMagic
        | ShimFault::WrongVersion
        | ShimFault::StaleGeneration
        | ShimFault::Unconfined
        | ShimFault::ControlFlood => Err(io::Error::other("this is not done in a call")),
    }
}

fn in_lanes_only(fault: LaneFault, world: &World, lanes: &Lanes, mine: &Mine<'_>) -> io::Result<()> {
    match fault {
        LaneFault::WantsTooMuchRoom => mine.end(MORE, 0, u32::MAX),
        LaneFault::WantsRoomTwice => {
            mine.end(MORE, 0, LONG_BYTES);
            while mine.down.state(mine.lane) != GRANTED {
                thread::yield_now();
            }
            mine.end(MORE, 0, LONG_BYTES);
        }
        LaneFault::NoSuchState => {
            NO_STATES.iter().for_each(|word| mine.down.say(mine.lane, *word));
            mine.down.say(mine.lane, ASKED | WAITS);
            return Ok(());
        }
        LaneFault::RingsUnasked => lanes.up.ring(0),
        LaneFault::RingsBack => {
            // Else it would be taken here once more.
            world.stop_taking();
            lanes.down.ring(mine.lane);
            lanes.up.ring(0);
        }
        LaneFault::OverlongArgument => ask::ask_with(&lanes.up, ask::NAMES, lanes.up.first_slab_bytes() + 1),
        LaneFault::GarbageNames => ask::ask_with(&lanes.up, [&[0xff; 64], ask::NAMES[1]], 0),
    }
    hang()
}

/// Once more whenever the lane is nobody's: also between later calls, but never in one of them.
fn answer_again(mine: &Mine<'_>) -> ! {
    let word = mine.down.memory.word(Way::lane_at(mine.lane));
    while word.compare_exchange(IDLE, ANSWERED, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        thread::yield_now();
    }
    mine.down.memory.wake(Way::lane_at(mine.lane));
    hang()
}

/// Makes the memory shorter and longer, which is sealed, and takes its pages out, which is not: zeros are read there. An
/// error if its length has changed; then whoever else has it mapped may be dead already.
pub(crate) fn resize(memory: &impl AsFd) -> io::Result<()> {
    let before = fstat(memory)?.st_size;
    for length in [0, before / 2, before * 2] {
        if ftruncate(memory, length).is_ok() {
            return Err(io::Error::other(format!("it has {length} bytes now")));
        }
    }
    // A library is sealed against that, too.
    let _ = fallocate(memory, FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, before);
    Ok(())
}
