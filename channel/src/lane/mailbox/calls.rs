//! The calls of one loop, and where each of them is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::lane::client::Lanes;
use crate::lane::turns::Turn;
use crate::{CallFailure, Completed, Deadline};

/// The calls of one loop.
pub(super) struct Calls {
    pub(super) by_token: HashMap<u64, At>,
    /// By lane.
    pub(super) asked: Vec<Option<Asked>>,
    /// Those that wait for a lane, in order.
    pub(super) queued: VecDeque<Queued>,
    /// Lanes whose callees want more room, and there was none.
    pub(super) want_more: Vec<usize>,
    pub(super) ended: VecDeque<Completed>,
    /// No call is due earlier.
    pub(super) due: Deadline,
    /// Which lane to look for first, so that none is passed over for ever.
    pub(super) from: usize,
}

/// Where a call is.
#[derive(Clone, Copy)]
pub(super) enum At {
    Lane(usize),
    Queue,
}

/// A call in a lane.
pub(super) struct Asked {
    pub(super) token: u64,
    pub(super) lanes: Lanes,
    pub(super) deadline: Deadline,
}

/// A call that waits for one.
pub(super) struct Queued {
    pub(super) token: u64,
    pub(super) turn: Arc<Turn>,
    pub(super) actor: String,
    pub(super) operation: String,
    pub(super) payload: Vec<u8>,
    pub(super) deadline: Deadline,
}

impl Calls {
    pub(super) fn put(&mut self, lane: usize, token: u64, deadline: Deadline) {
        self.by_token.insert(token, At::Lane(lane));
        self.asked[lane] = Some(Asked { token, lanes: Lanes { asked: lane, more: None }, deadline });
    }

    pub(super) fn take(&mut self, lane: usize) -> Option<Asked> {
        let asked = self.asked[lane].take()?;
        self.by_token.remove(&asked.token);
        self.want_more.retain(|other| *other != lane);
        Some(asked)
    }

    pub(super) fn end(&mut self, token: u64, failure: CallFailure) {
        self.by_token.remove(&token);
        self.ended.push_back(Completed { token, result: Err(failure), bytes: Vec::new() });
    }
}
