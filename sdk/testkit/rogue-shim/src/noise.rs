//! Writing anything anywhere, and waking whoever sleeps for nothing.

use std::io;
use std::sync::atomic::Ordering;

use crate::ask::ask_by_mailbox;
use crate::lanes::{
    ANSWERED, ASLEEP, CLOSED, GONE, LANE_BYTES, Lanes, MAILBOX_BYTES, MAILBOXES, MORE, PAGE_BYTES, STATE, Way,
};
use crate::world::World;

/// Times that everybody is woken.
const WAKES: usize = 5_000;

/// Calls whose answers are told to mailboxes that nobody has opened, or that there are not.
const MAILBOXES_TOLD: [u32; 8] = [1, 2, 16, 17, 33, 0x7fff_ffff, u32::MAX - 1, u32::MAX];

/// Writes between two times that the host is woken, to see what was written.
const WRITES: u32 = 64;

/// Wakes all who may sleep, says of all lanes that their callers have gone and of all mailboxes that something is in them, and
/// has mailboxes told that are nobody's.
pub(crate) fn flood(Lanes { down, up }: &Lanes) -> io::Result<()> {
    for _ in 0..WAKES {
        for word in (GONE..ASLEEP).step_by(4) {
            up.memory.word(word).store(u32::MAX, Ordering::Relaxed);
        }
        for mailbox in (MAILBOXES..PAGE_BYTES).step_by(MAILBOX_BYTES) {
            up.memory.word(mailbox).store(u32::MAX, Ordering::Relaxed);
        }
        up.memory.word(ASLEEP).store(0, Ordering::SeqCst);
        up.memory.wake(ASLEEP);
        down.lanes().for_each(|lane| down.memory.wake(Way::lane_at(lane)));
    }
    MAILBOXES_TOLD.iter().try_for_each(|mailbox| ask_by_mailbox(up, *mailbox))
}

/// Writes until the host ends this. Calls in flight stay so: an answer that says what may be said is none of what is wrong.
pub(crate) fn corrupt(world: &World, Lanes { down, up }: &Lanes) -> ! {
    // Else what is honest here answers a call that garbage rings for again.
    world.stop_taking();
    let mut chance = Chance(0x5eed);
    loop {
        for _ in 0..WRITES {
            let (at, word) = (4 * chance.below(down.memory.bytes() / 4), chance.word());
            down.memory.word(at).store(silent(down, at, word), Ordering::Relaxed);
            let (at, word) = (4 * chance.below(down.words_end() / 4), chance.word());
            down.memory.word(at).store(silent(down, at, word), Ordering::Relaxed);
            // Up to the first slabs, so that names and arguments are spoilt, too.
            let at = 4 * chance.below((up.words_end() + 4 * PAGE_BYTES) / 4);
            up.memory.word(at).store(chance.word(), Ordering::Relaxed);
        }
        up.memory.wake(ASLEEP);
        let woken = chance.below(down.layout.lanes());
        down.memory.wake(Way::lane_at(woken));
    }
}

/// The word, or if it is a lane's of `way` and would end a call, one that means nothing.
fn silent(way: &Way, at: usize, word: u32) -> u32 {
    let is_of_lane = (PAGE_BYTES..way.words_end()).contains(&at) && at.is_multiple_of(LANE_BYTES);
    let speaks = matches!(word & STATE, ANSWERED | MORE) || word & CLOSED != 0;
    if is_of_lane && speaks { word & !(STATE | CLOSED) | 7 } else { word }
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// As somebody would choose it who knows what hurts: states with their bits, numbers of lanes and mailboxes, lengths beside
    /// the limits, and anything.
    fn word(&mut self) -> u32 {
        const KNOWN: [u32; 18] =
            [0, 1, 2, 3, 4, 7, 0x101, 0x102, 0x103, 0x201, 0x401, 10, 11, 16, 65_536, 65_537, 16 << 20, u32::MAX];
        match self.next() % 4 {
            0 => self.next() as u32,
            1 => 1 << (self.next() % 32),
            _ => KNOWN[self.below(KNOWN.len())],
        }
    }
}
