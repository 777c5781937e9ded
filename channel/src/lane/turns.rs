//! Those who wait for a lane, in order.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Condvar;

use super::layout::CLASSES_MAX;
use crate::Deadline;

/// Somebody who waits.
pub(super) struct Turn {
    /// The lanes that are large enough.
    pub(super) among: Range<usize>,
    /// From then on it keeps nobody waiting, whether or not it has left.
    pub(super) deadline: Deadline,
    pub(super) waiter: Waiter,
}

/// How to tell somebody that it may be its turn.
pub(super) enum Waiter {
    /// A thread that waits for this.
    Thread(Condvar),
    /// An event loop.
    Loop(Arc<dyn Fn() + Send + Sync>),
}

impl Turn {
    pub(super) fn tell(&self) {
        match &self.waiter {
            Waiter::Thread(changed) => drop(changed.notify_one()),
            Waiter::Loop(tell) => tell(),
        }
    }
}

pub(super) type Queue = VecDeque<Arc<Turn>>;

/// Wakes whoever is next for each size of slab: which of them there is room for, they find out by themselves, in order.
pub(super) fn next_of_each(queue: &Queue) {
    let mut woken = [usize::MAX; CLASSES_MAX];
    for turn in queue.iter().filter(|turn| !turn.deadline.expired()) {
        if woken.contains(&turn.among.start) {
            continue;
        }
        if let Some(free) = woken.iter_mut().find(|from| **from == usize::MAX) {
            *free = turn.among.start;
        }
        turn.tell();
    }
}
