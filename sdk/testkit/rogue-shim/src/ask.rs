//! Calls of actors that nobody has, by hand.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use cofferdam_channel::Deadline;

use crate::lanes::{ACTOR_BYTES, ASKED, BYTES, CALL, DEADLINE, IDLE, MAILBOX, OPERATION_BYTES, Way};

/// How long the host may take to say that there is no such actor.
const TIMEOUT: Duration = Duration::from_secs(2);

/// An actor that nobody has, and what it is asked for.
pub(crate) const NAMES: [&[u8]; 2] = [b"MNOBODY", b"Ring"];

/// Asks in the first lane, by these names, with an argument that is said to be so long.
pub(crate) fn ask_with(up: &Way, names: [&[u8]; 2], argument_bytes: u32) {
    up.write_names(names);
    let first = Way::lane_at(0);
    up.memory.number(first + CALL).store(1, Ordering::Relaxed);
    up.memory.number(first + DEADLINE).store(Deadline::after(TIMEOUT).as_monotonic_ns(), Ordering::Relaxed);
    up.set(0, ACTOR_BYTES, names[0].len() as u32);
    up.set(0, OPERATION_BYTES, names[1].len() as u32);
    up.set(0, BYTES, argument_bytes);
    up.say(0, ASKED);
    up.ring(0);
}

/// Asks, and waits for the answer, of which a mailbox is to be told.
pub(crate) fn ask_by_mailbox(up: &Way, mailbox: u32) -> io::Result<()> {
    up.set(0, MAILBOX, mailbox);
    ask_with(up, NAMES, 0);
    let until = Deadline::after(TIMEOUT);
    while up.state(0) == ASKED {
        if until.expired() {
            return Err(io::Error::other("the host does not answer"));
        }
        thread::yield_now();
    }
    up.say(0, IDLE);
    Ok(())
}
