//! Writes within one transaction. Each checks everything before it changes anything, so a refused one leaves no trace
//! in the commit that it would have shared.

use redb::{ReadableTable, Table, WriteTransaction};

use super::entry::{Body, Entry, Kind};
use super::tables::{ENTRIES, EXPIRIES, ITEMS, MEMBERS, items_of};
use crate::contract::Answer;
use crate::error::{OperationError, Shown};
use crate::limits::{LIST_ITEMS_MAX, SWEPT_VALUES_MAX};
use crate::operation::Write;

/// The tables of one transaction, at one moment of the clock.
pub(super) struct Editor<'t> {
    entries: Table<'t, &'static str, &'static [u8]>,
    items: Table<'t, (&'static str, i64), &'static str>,
    members: Table<'t, (&'static str, &'static str), ()>,
    expiries: Table<'t, (u64, &'static str), ()>,
    now_ms: u64,
}

impl<'t> Editor<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction, now_ms: u64) -> Result<Self, OperationError> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            items: transaction.open_table(ITEMS)?,
            members: transaction.open_table(MEMBERS)?,
            expiries: transaction.open_table(EXPIRIES)?,
            now_ms,
        })
    }

    pub(super) fn apply(&mut self, write: &Write) -> Result<Answer, OperationError> {
        match write {
            Write::Add { key, value } => self.add(key, *value),
            Write::Set { key, value, expires_s } => self.set(key, value, *expires_s),
            Write::Remove { key } => {
                self.remove(key)?;
                Ok(Answer::Del { key: key.clone() })
            }
            Write::Push { key, value } => self.push(key, value),
            Write::RemoveItem { key, value } => self.remove_item(key, value),
            Write::AddMember { key, value } => self.add_member(key, value),
            Write::RemoveMember { key, value } => self.remove_member(key, value),
        }
    }

    /// Removes some of the values that have expired, the oldest first.
    pub(super) fn sweep(&mut self) -> Result<(), OperationError> {
        for _ in 0..SWEPT_VALUES_MAX {
            let oldest = self.expiries.first()?.map(|(at, _)| {
                let (expires_ms, key) = at.value();
                (expires_ms, key.to_owned())
            });
            match oldest {
                Some((expires_ms, key)) if expires_ms <= self.now_ms => self.remove(&key)?,
                _ => break,
            }
        }
        Ok(())
    }

    fn add(&mut self, key: &str, value: i32) -> Result<Answer, OperationError> {
        let old = self.live(key, Kind::Text)?;
        let old = old.as_deref().map(Entry::decode).transpose()?;
        let (number, expires_ms) = match old {
            Some(Entry { expires_ms, body: Body::Text(text) }) => {
                let number = integer(text).ok_or_else(|| OperationError::NotAnInteger { key: Shown::new(key) })?;
                (number, expires_ms)
            }
            _ => (0, 0),
        };
        let sum = number.checked_add(i64::from(value)).and_then(|sum| i32::try_from(sum).ok());
        let sum = sum.ok_or_else(|| OperationError::Overflow { key: Shown::new(key), value })?;
        self.put(key, Entry { expires_ms, body: Body::Text(&sum.to_string()) })?;
        Ok(Answer::Add { value: sum })
    }

    fn set(&mut self, key: &str, value: &str, expires_s: u32) -> Result<Answer, OperationError> {
        self.remove(key)?;
        let expires_ms = match expires_s {
            0 => 0,
            _ => self.now_ms.saturating_add(u64::from(expires_s) * 1000),
        };
        self.put(key, Entry { expires_ms, body: Body::Text(value) })?;
        if expires_ms != 0 {
            self.expiries.insert((expires_ms, key), ())?;
        }
        Ok(Answer::Set { value: value.to_owned() })
    }

    fn push(&mut self, key: &str, value: &str) -> Result<Answer, OperationError> {
        let (first, len) = self.list(key)?;
        if len >= LIST_ITEMS_MAX {
            return Err(OperationError::ListFull { key: Shown::new(key) });
        }
        let (first, len) = (first - 1, len + 1);
        self.items.insert((key, first), value)?;
        self.put(key, Entry::lasting(Body::List { first, len }))?;
        Ok(Answer::List { new_count: narrow(len) })
    }

    fn remove_item(&mut self, key: &str, value: &str) -> Result<Answer, OperationError> {
        let (first, len) = self.list(key)?;
        let mut removed = 0;
        self.items.retain_in(items_of(key), |_, item| {
            let gone = item == value;
            removed += u64::from(gone);
            !gone
        })?;
        self.put_or_remove(key, Body::List { first, len: len - removed })?;
        Ok(Answer::List { new_count: narrow(removed) })
    }

    fn add_member(&mut self, key: &str, value: &str) -> Result<Answer, OperationError> {
        let len = self.set_len(key)?;
        let is_new = self.members.insert((key, value), ())?.is_none();
        self.put_or_remove(key, Body::Set { len: len + u64::from(is_new) })?;
        Ok(Answer::Members { new_count: i32::from(is_new) })
    }

    fn remove_member(&mut self, key: &str, value: &str) -> Result<Answer, OperationError> {
        let len = self.set_len(key)?;
        let was_there = self.members.remove((key, value))?.is_some();
        self.put_or_remove(key, Body::Set { len: len - u64::from(was_there) })?;
        Ok(Answer::Members { new_count: i32::from(was_there) })
    }

    /// Removes whatever a key holds, and every trace of it.
    fn remove(&mut self, key: &str) -> Result<(), OperationError> {
        let Some(record) = self.entries.remove(key)?.map(|record| record.value().to_vec()) else {
            return Ok(());
        };
        let entry = Entry::decode(&record)?;
        if entry.expires_ms != 0 {
            self.expiries.remove((entry.expires_ms, key))?;
        }
        match entry.body {
            Body::Text(_) => {}
            Body::List { .. } => self.items.retain_in(items_of(key), |_, _| false)?,
            Body::Set { .. } => {
                // No key lies between this one and itself with a zero behind it.
                let next = format!("{key}\0");
                self.members.retain_in((key, "")..(next.as_str(), ""), |_, ()| false)?;
            }
        }
        Ok(())
    }

    /// The record of a key, if it has not expired; one that has is removed. Another kind is an error.
    fn live(&mut self, key: &str, needed: Kind) -> Result<Option<Vec<u8>>, OperationError> {
        let Some(record) = self.entries.get(key)?.map(|record| record.value().to_vec()) else {
            return Ok(None);
        };
        let entry = Entry::decode(&record)?;
        if !entry.is_live(self.now_ms) {
            self.remove(key)?;
            return Ok(None);
        }
        if entry.kind() != needed {
            return Err(OperationError::WrongKind { key: Shown::new(key), found: entry.kind(), needed });
        }
        Ok(Some(record))
    }

    fn list(&mut self, key: &str) -> Result<(i64, u64), OperationError> {
        let record = self.live(key, Kind::List)?;
        match record.as_deref().map(Entry::decode).transpose()? {
            Some(Entry { body: Body::List { first, len }, .. }) => Ok((first, len)),
            _ => Ok((0, 0)),
        }
    }

    fn set_len(&mut self, key: &str) -> Result<u64, OperationError> {
        let record = self.live(key, Kind::Set)?;
        match record.as_deref().map(Entry::decode).transpose()? {
            Some(Entry { body: Body::Set { len }, .. }) => Ok(len),
            _ => Ok(0),
        }
    }

    fn put(&mut self, key: &str, entry: Entry<'_>) -> Result<(), OperationError> {
        self.entries.insert(key, entry.encode().as_slice())?;
        Ok(())
    }

    /// An empty list or set is no list or set: its key is gone.
    fn put_or_remove(&mut self, key: &str, body: Body<'_>) -> Result<(), OperationError> {
        match body {
            Body::List { len: 0, .. } | Body::Set { len: 0 } => self.remove(key),
            body => self.put(key, Entry::lasting(body)),
        }
    }
}

/// An integer as it is printed, and in no other spelling: `007`, `+7` and ` 7` are text.
fn integer(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn narrow(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
