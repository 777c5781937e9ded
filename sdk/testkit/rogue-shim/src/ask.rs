//! Calls of actors that nobody has, by hand.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use cofferdam_channel::Deadline;
use cofferdam_channel::protocol::call::{Header, Request};
use cofferdam_channel::protocol::limits::CALL_HEADER_BYTES_MAX;

use crate::lanes::{ASKED, BYTES, CALL, HEADER_BYTES, IDLE, MAILBOX, Way};

/// How long the host may take to say that there is no such actor.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a good shim would write of such a call.
pub(crate) fn header() -> io::Result<Vec<u8>> {
    let request = Request {
        call: 1,
        deadline_ns: Deadline::after(TIMEOUT).as_monotonic_ns(),
        actor: "MNOBODY",
        operation: "Ring",
    };
    let mut room = [0; CALL_HEADER_BYTES_MAX];
    let used = Header::Request(request).write(&mut room).map_err(io::Error::other)?;
    Ok(room[..used].to_vec())
}

/// Asks in the first lane, with an argument that is said to be so long.
pub(crate) fn ask_with(up: &Way, header: &[u8], argument_bytes: u32) {
    up.write_first(header, b"");
    up.memory.number(Way::lane_at(0) + CALL).store(1, Ordering::Relaxed);
    up.set(0, HEADER_BYTES, header.len() as u32);
    up.set(0, BYTES, argument_bytes);
    up.say(0, ASKED);
    up.ring(0);
}

/// Asks, and waits for the answer, of which a mailbox is to be told.
pub(crate) fn ask_by_mailbox(up: &Way, mailbox: u32) -> io::Result<()> {
    up.set(0, MAILBOX, mailbox);
    ask_with(up, &header()?, 0);
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
