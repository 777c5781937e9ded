//! Where things lie in the memory of one direction.
//!
//! ```text
//! page 0      magic 8 | classes 4 | zero 4 | {lanes 4, slab_bytes 4} for each      written once, by whoever makes it
//!     1024    words of the bell: asked, one bit a lane                             64 bytes
//!     1088    gone, one bit a lane                                                 64 bytes
//!     1152    asleep                                                               64 bytes
//!     2048    mailboxes: for each, answered, one bit a lane, and asleep            128 bytes each
//! page 1      lanes, 64 bytes each
//! then        slabs, whole pages: 1024 bytes for the names of actor and operation, then its argument, then its answer
//! ```
//! Lanes of one class have slabs of one size, for the argument and for the answer; classes come with growing slabs. Pages that nobody has touched take no memory.

use cofferdam_protocol::limits::{ACTOR_BYTES_MAX, OPERATION_BYTES_MAX};

use super::word::LANES_IN_WORD;

pub(super) const PAGE_BYTES: usize = 4096;
/// The names of a call: of the actor first, and from [`ACTOR_BYTES_MAX`] on of the operation.
pub(super) const NAMES_BYTES: usize = 1024;
const _: () = assert!(ACTOR_BYTES_MAX + OPERATION_BYTES_MAX <= NAMES_BYTES);
/// Where one side writes and the other reads lies apart from where it is the other way round.
const CACHE_LINE_BYTES: usize = 64;
/// Where the bell is.
pub(super) const ASKED: usize = 1024;
/// Where those lanes are said whose callers have gone.
pub(super) const GONE: usize = 1088;
/// Where the callee says that it sleeps.
pub(super) const ASLEEP: usize = 1152;
/// Where the mailboxes are told of, each.
pub(super) const MAILBOXES: usize = 2048;
pub(super) const MAILBOX_BYTES: usize = 128;
/// How many there are.
pub const MAILBOXES_MAX: usize = 16;
const _: () = assert!(MAILBOXES + MAILBOXES_MAX * MAILBOX_BYTES <= PAGE_BYTES && LANES_MAX / 8 <= MAILBOX_BYTES / 2);
/// What one lane takes.
pub(super) const LANE_BYTES: usize = 64;
/// Lanes of one direction: as many as the bell has bits for.
pub const LANES_MAX: usize = 16 * LANES_IN_WORD;
/// Sizes of slabs.
pub const CLASSES_MAX: usize = 8;
/// Whose memory it is.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"cofdlane");

/// Lanes whose slabs have one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// How many.
    pub lanes: u32,
    /// What each takes of argument, and of answer.
    pub slab_bytes: u32,
}

/// Which lanes there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    classes: Vec<Class>,
}

/// Where one lane's slab is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slab {
    pub(super) names: usize,
    pub(super) argument: usize,
    pub(super) answer: usize,
    /// What argument and answer may take, each.
    pub(super) bytes: usize,
}

impl Layout {
    /// None if there are none, too many, or their slabs do not grow.
    pub fn new(classes: &[Class]) -> Option<Self> {
        let lanes: u64 = classes.iter().map(|class| u64::from(class.lanes)).sum();
        let grow = classes.windows(2).all(|pair| pair[0].slab_bytes < pair[1].slab_bytes);
        let empty = classes.iter().any(|class| class.lanes == 0 || class.slab_bytes == 0);
        let fits = (1..=LANES_MAX as u64).contains(&lanes) && (1..=CLASSES_MAX).contains(&classes.len());
        (fits && grow && !empty).then(|| Self { classes: classes.to_vec() })
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> usize {
        self.classes.iter().map(|class| class.lanes as usize).sum()
    }

    /// The classes, from small slabs to large ones.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// What the largest slab takes.
    pub fn slab_bytes_max(&self) -> usize {
        self.classes.last().map_or(0, |class| class.slab_bytes as usize)
    }

    /// The words that the bell needs.
    pub(super) fn bell_words(&self) -> usize {
        self.lanes().div_ceil(LANES_IN_WORD)
    }

    /// The lanes of the classes whose slabs take so much, the smallest first.
    pub(super) fn lanes_for(&self, bytes: usize) -> std::ops::Range<usize> {
        let too_small = self.classes.iter().take_while(|class| (class.slab_bytes as usize) < bytes);
        too_small.map(|class| class.lanes as usize).sum()..self.lanes()
    }

    pub(super) const fn lane_at(lane: usize) -> usize {
        PAGE_BYTES + lane * LANE_BYTES
    }

    /// Where each lane's slab is, and how long all of it is.
    pub(super) fn slabs(&self) -> (Vec<Slab>, usize) {
        let mut at = Self::lane_at(self.lanes()).next_multiple_of(PAGE_BYTES);
        let mut slabs = Vec::with_capacity(self.lanes());
        for Class { lanes, slab_bytes } in &self.classes {
            let bytes = *slab_bytes as usize;
            for _ in 0..*lanes {
                let argument = at + NAMES_BYTES;
                let answer = (argument + bytes).next_multiple_of(CACHE_LINE_BYTES);
                slabs.push(Slab { names: at, argument, answer, bytes });
                at = (answer + bytes).next_multiple_of(PAGE_BYTES);
            }
        }
        (slabs, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_lie_one_behind_the_other() {
        let class = |lanes, slab_bytes| Class { lanes, slab_bytes };
        let layout = Layout::new(&[class(3, 1000), class(1, 4096)]).unwrap();
        let (slabs, bytes) = layout.slabs();
        let at = |names, answer, bytes| Slab { names, argument: names + 1024, answer, bytes };
        let small = |names| at(names, names + 2048, 1000);
        assert_eq!(slabs, [small(8192), small(12288), small(16384), at(20480, 25600, 4096)]);
        assert_eq!((bytes, layout.lanes(), layout.bell_words()), (32768, 4, 1));
        assert_eq!((layout.lanes_for(1000), layout.lanes_for(1001), layout.lanes_for(4097)), (0..4, 3..4, 4..4));
        for bad in [&[][..], &[class(0, 1)], &[class(1, 0)], &[class(1, 2), class(1, 2)], &[class(513, 1)]] {
            assert_eq!(Layout::new(bad), None, "{bad:?}");
        }
        assert!(Layout::new(&[class(512, 1)]).is_some());
        const _: () = assert!(ASKED + LANES_MAX / 8 <= GONE && GONE + LANES_MAX / 8 <= ASLEEP && ASLEEP < MAILBOXES);
    }
}
