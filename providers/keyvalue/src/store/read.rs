//! Reads, all from one snapshot. One that goes through many records looks at the clock as it goes: a worker is not held
//! beyond what its caller waits, however large the sets are.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Instant;

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction};

use super::entry::{Body, Entry, Kind};
use super::tables::{ENTRIES, ITEMS, MEMBERS, items_of};
use crate::contract::Answer;
use crate::error::{OperationError, Shown};
use crate::operation::Read;

/// A snapshot with its tables open, at one moment of the clock.
pub(super) struct Reader {
    entries: ReadOnlyTable<&'static str, &'static [u8]>,
    items: ReadOnlyTable<(&'static str, i64), &'static str>,
    members: ReadOnlyTable<(&'static str, &'static str), ()>,
    now_ms: u64,
    bounds: Bounds,
    /// How many records may be looked at before the clock is.
    steps_left: Cell<u32>,
}

/// What one read may cost.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) deadline: Instant,
    pub(super) answer_bytes_max: usize,
}

impl Reader {
    pub(super) fn new(snapshot: &ReadTransaction, now_ms: u64, bounds: Bounds) -> Result<Self, OperationError> {
        Ok(Self {
            entries: snapshot.open_table(ENTRIES)?,
            items: snapshot.open_table(ITEMS)?,
            members: snapshot.open_table(MEMBERS)?,
            now_ms,
            bounds,
            steps_left: Cell::new(0),
        })
    }

    pub(super) fn answer(&self, read: &Read) -> Result<Answer, OperationError> {
        match read {
            Read::Get { key } => self.get(key),
            Read::Exists { key } => Ok(Answer::Get { value: String::new(), exists: self.holds(key)? }),
            Read::Range { key, start, stop } => self.range(key, *start, *stop),
            Read::Members { key } => self.union(std::slice::from_ref(key)),
            Read::Union { keys } => self.union(keys),
            Read::Intersection { keys } => self.intersection(keys),
        }
    }

    fn get(&self, key: &str) -> Result<Answer, OperationError> {
        let Some(record) = self.entries.get(key)? else {
            return Ok(absent());
        };
        match self.live(key, &record, Kind::Text)? {
            Some(Body::Text(text)) => Ok(Answer::Get { value: text.to_owned(), exists: true }),
            _ => Ok(absent()),
        }
    }

    fn holds(&self, key: &str) -> Result<bool, OperationError> {
        match self.entries.get(key)? {
            Some(record) => Ok(Entry::decode(record.value())?.is_live(self.now_ms)),
            None => Ok(false),
        }
    }

    fn range(&self, key: &str, start: i32, stop: i32) -> Result<Answer, OperationError> {
        let len = match self.entries.get(key)? {
            Some(record) => match self.live(key, &record, Kind::List)? {
                Some(Body::List { len, .. }) => i64::try_from(len).unwrap_or(i64::MAX),
                _ => 0,
            },
            None => 0,
        };
        let from_end = |index: i32| if index < 0 { len + i64::from(index) } else { i64::from(index) };
        let start = from_end(start).max(0);
        let count = (from_end(stop).min(len - 1) - start + 1).max(0);
        let end = if count == 0 { 0 } else { start + count };
        let mut values = Vec::new();
        let mut room = Room::new(self.bounds.answer_bytes_max);
        for (index, item) in (0..end).zip(self.items.range(items_of(key))?) {
            self.step()?;
            if index < start {
                continue;
            }
            let value = item?.1;
            room.take(value.value())?;
            values.push(value.value().to_owned());
        }
        Ok(Answer::Values { values })
    }

    fn union(&self, keys: &[String]) -> Result<Answer, OperationError> {
        let mut members = BTreeSet::new();
        let mut room = Room::new(self.bounds.answer_bytes_max);
        for key in keys {
            self.set_len(key)?;
            self.each_member(key, |member| {
                if !members.contains(member) {
                    room.take(member)?;
                    members.insert(member.to_owned());
                }
                Ok(())
            })?;
        }
        Ok(Answer::Values { values: members.into_iter().collect() })
    }

    fn intersection(&self, keys: &[String]) -> Result<Answer, OperationError> {
        let mut smallest: Option<(u64, &str)> = None;
        for key in keys {
            let len = self.set_len(key)?;
            if smallest.is_none_or(|(least, _)| len < least) {
                smallest = Some((len, key));
            }
        }
        let mut values = Vec::new();
        let Some((_, smallest)) = smallest else {
            return Ok(Answer::Values { values });
        };
        let mut room = Room::new(self.bounds.answer_bytes_max);
        self.each_member(smallest, |member| {
            for other in keys.iter().filter(|key| *key != smallest) {
                self.step()?;
                if self.members.get((other.as_str(), member))?.is_none() {
                    return Ok(());
                }
            }
            room.take(member)?;
            values.push(member.to_owned());
            Ok(())
        })?;
        Ok(Answer::Values { values })
    }

    fn each_member(
        &self,
        key: &str,
        mut visit: impl FnMut(&str) -> Result<(), OperationError>,
    ) -> Result<(), OperationError> {
        for member in self.members.range((key, "")..)? {
            self.step()?;
            let at = member?.0;
            let (of, member) = at.value();
            if of != key {
                break;
            }
            visit(member)?;
        }
        Ok(())
    }

    /// How many members a set has; none, when there is nothing.
    fn set_len(&self, key: &str) -> Result<u64, OperationError> {
        let Some(record) = self.entries.get(key)? else { return Ok(0) };
        match self.live(key, &record, Kind::Set)? {
            Some(Body::Set { len }) => Ok(len),
            _ => Ok(0),
        }
    }

    /// Counts one record that is looked at.
    fn step(&self) -> Result<(), OperationError> {
        const STEPS_A_LOOK: u32 = 1024;
        if let Some(left) = self.steps_left.get().checked_sub(1) {
            self.steps_left.set(left);
            return Ok(());
        }
        self.steps_left.set(STEPS_A_LOOK);
        if Instant::now() < self.bounds.deadline { Ok(()) } else { Err(OperationError::ReadLate) }
    }

    /// What a record holds: nothing when it has expired, an error when it is of another kind.
    fn live<'a>(
        &self,
        key: &str,
        record: &'a AccessGuard<'_, &'static [u8]>,
        needed: Kind,
    ) -> Result<Option<Body<'a>>, OperationError> {
        let entry = Entry::decode(record.value())?;
        if !entry.is_live(self.now_ms) {
            return Ok(None);
        }
        if entry.kind() != needed {
            return Err(OperationError::WrongKind { key: Shown::new(key), found: entry.kind(), needed });
        }
        Ok(Some(entry.body))
    }
}

fn absent() -> Answer {
    Answer::Get { value: String::new(), exists: false }
}

/// How much may still be added to an answer.
struct Room {
    limit_bytes: usize,
    left_bytes: usize,
}

impl Room {
    fn new(limit_bytes: usize) -> Self {
        /// Around the values: the map, its one name, the head of the array.
        const FRAME_BYTES: usize = 16;
        Self { limit_bytes, left_bytes: limit_bytes.saturating_sub(FRAME_BYTES) }
    }

    fn take(&mut self, value: &str) -> Result<(), OperationError> {
        /// The longest head of a MessagePack string.
        const HEAD_BYTES: usize = 5;
        let too_long = OperationError::AnswerTooLong { limit_bytes: self.limit_bytes };
        self.left_bytes = self.left_bytes.checked_sub(value.len() + HEAD_BYTES).ok_or(too_long)?;
        Ok(())
    }
}
