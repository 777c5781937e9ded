//! Where things lie in the memory of lanes, by the book: `docs/protocol.md`, section 14. What a shim of ours does there the
//! crate `channel` does here, too; this is for what it can't be made to do.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use cofferdam_channel::lane::{Layout, Region};
use cofferdam_channel::protocol::limits::ACTOR_BYTES_MAX;

use crate::memory::Memory;

pub(crate) const BELL: usize = 1024;
pub(crate) const GONE: usize = 1088;
pub(crate) const ASLEEP: usize = 1152;
pub(crate) const MAILBOXES: usize = 2048;
pub(crate) const MAILBOX_BYTES: usize = 128;
pub(crate) const PAGE_BYTES: usize = 4096;
pub(crate) const LANE_BYTES: usize = 64;

/// States of a lane, and bits of its word.
pub(crate) const IDLE: u32 = 0;
pub(crate) const ASKED: u32 = 1;
pub(crate) const ANSWERED: u32 = 2;
pub(crate) const MORE: u32 = 3;
pub(crate) const GRANTED: u32 = 4;
pub(crate) const STATE: u32 = 0xff;
pub(crate) const WAITS: u32 = 0x100;
pub(crate) const CLOSED: u32 = 0x400;

/// Fields of a lane.
pub(crate) const BYTES: usize = 8;
pub(crate) const ACTOR_BYTES: usize = 12;
pub(crate) const OUTCOME: usize = 16;
pub(crate) const CALL: usize = 24;
pub(crate) const MAILBOX: usize = 36;
pub(crate) const DEADLINE: usize = 40;
pub(crate) const OPERATION_BYTES: usize = 48;

/// Both directions.
pub(crate) struct Lanes {
    pub(crate) down: Way,
    pub(crate) up: Way,
}

/// One direction.
pub(crate) struct Way {
    pub(crate) memory: Memory,
    pub(crate) layout: Layout,
}

impl Way {
    /// Maps what came with `Lanes`. What it is for a good shim is returned, too.
    pub(crate) fn map(file: OwnedFd) -> io::Result<(Self, Region)> {
        let region = Region::open(file.try_clone()?)?;
        Ok((Self { memory: Memory::map(file)?, layout: region.layout().clone() }, region))
    }

    /// All of them, by number.
    pub(crate) fn lanes(&self) -> std::ops::Range<usize> {
        0..self.layout.lanes()
    }

    /// Where the words end, and pages with headers and bytes begin.
    pub(crate) fn words_end(&self) -> usize {
        Self::lane_at(self.layout.lanes())
    }

    pub(crate) const fn lane_at(lane: usize) -> usize {
        PAGE_BYTES + lane * LANE_BYTES
    }

    /// The lane that has this call.
    pub(crate) fn lane_of(&self, call: u64) -> Option<usize> {
        let number = |lane: &usize| self.memory.number(Self::lane_at(*lane) + CALL).load(Ordering::Acquire);
        self.lanes().find(|lane| number(lane) == call)
    }

    pub(crate) fn set(&self, lane: usize, field: usize, value: u32) {
        self.memory.word(Self::lane_at(lane) + field).store(value, Ordering::Relaxed);
    }

    pub(crate) fn state(&self, lane: usize) -> u32 {
        self.memory.word(Self::lane_at(lane)).load(Ordering::Acquire) & STATE
    }

    /// Writes the word, whatever was in it, and wakes whoever sleeps on it.
    pub(crate) fn say(&self, lane: usize, word: u32) {
        self.memory.word(Self::lane_at(lane)).store(word, Ordering::Release);
        self.memory.wake(Self::lane_at(lane));
    }

    /// Says at the bell that the lane was asked.
    pub(crate) fn ring(&self, lane: usize) {
        self.memory.word(BELL + lane / 32 * 4).fetch_or(1 << (lane % 32), Ordering::SeqCst);
        self.memory.word(ASLEEP).store(0, Ordering::SeqCst);
        self.memory.wake(ASLEEP);
    }

    /// Writes the names of actor and operation where those of the first lane lie.
    pub(crate) fn write_names(&self, [actor, operation]: [&[u8]; 2]) {
        let slab = self.words_end().next_multiple_of(PAGE_BYTES);
        for (at, bytes) in [(slab, actor), (slab + ACTOR_BYTES_MAX, operation)] {
            let places = (at..).map(|at| self.memory.byte(at));
            bytes.iter().zip(places).for_each(|(byte, place)| place.store(*byte, Ordering::Relaxed));
        }
    }

    /// How much the slab of the first lane takes.
    pub(crate) fn first_slab_bytes(&self) -> u32 {
        self.layout.classes()[0].slab_bytes
    }
}
