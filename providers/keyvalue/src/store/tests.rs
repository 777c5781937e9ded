//! Random operations against a model in memory: same answers, same refusals, and nothing left behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::edit::Editor;
use super::entry::Kind;
use super::read::{Bounds, Reader};
use super::tables;
use crate::contract::Answer;
use crate::operation::{Operation, Read, Write};

/// What a key holds, in the model.
#[derive(Clone, Debug)]
enum Held {
    Text { text: String, expires_ms: Option<u64> },
    List(VecDeque<String>),
    Set(BTreeSet<String>),
}

#[derive(Default)]
struct Model {
    now_ms: u64,
    held: BTreeMap<String, Held>,
}

fn no_bounds() -> Bounds {
    Bounds { deadline: Instant::now() + Duration::from_secs(600), answer_bytes_max: usize::MAX }
}

/// The answer, or that it is refused.
type Expected = Option<Answer>;

impl Model {
    fn forget_expired(&mut self) {
        let now_ms = self.now_ms;
        self.held.retain(|_, held| !matches!(held, Held::Text { expires_ms: Some(at), .. } if *at <= now_ms));
    }

    fn list(&mut self, key: &str) -> Option<&mut VecDeque<String>> {
        match self.held.entry(key.into()).or_insert_with(|| Held::List(VecDeque::new())) {
            Held::List(items) => Some(items),
            _ => None,
        }
    }

    fn set(&mut self, key: &str) -> Option<&mut BTreeSet<String>> {
        match self.held.entry(key.into()).or_insert_with(|| Held::Set(BTreeSet::new())) {
            Held::Set(members) => Some(members),
            _ => None,
        }
    }

    fn run(&mut self, operation: &Operation) -> Expected {
        self.forget_expired();
        let answer = match operation {
            Operation::Read(read) => self.read(read),
            Operation::Write(write) => self.write(write),
        };
        self.held.retain(|_, held| match held {
            Held::Text { .. } => true,
            Held::List(items) => !items.is_empty(),
            Held::Set(members) => !members.is_empty(),
        });
        answer
    }

    fn write(&mut self, write: &Write) -> Expected {
        Some(match write {
            Write::Add { key, value } => {
                let (text, expires_ms) = match self.held.get(key) {
                    Some(Held::Text { text, expires_ms }) => (text.clone(), *expires_ms),
                    Some(_) => return None,
                    None => ("0".into(), None),
                };
                let number = text.parse::<i32>().ok().filter(|number| number.to_string() == text)?;
                let value = number.checked_add(*value)?;
                self.held.insert(key.clone(), Held::Text { text: value.to_string(), expires_ms });
                Answer::Add { value }
            }
            Write::Set { key, value, expires_s } => {
                let expires_ms = (*expires_s > 0).then(|| self.now_ms + u64::from(*expires_s) * 1000);
                self.held.insert(key.clone(), Held::Text { text: value.clone(), expires_ms });
                Answer::Set { value: value.clone() }
            }
            Write::Remove { key } => {
                self.held.remove(key);
                Answer::Del { key: key.clone() }
            }
            Write::Push { key, value } => {
                let items = self.list(key)?;
                items.push_front(value.clone());
                Answer::List { new_count: items.len() as i32 }
            }
            Write::RemoveItem { key, value } => {
                let items = self.list(key)?;
                let before = items.len();
                items.retain(|item| item != value);
                Answer::List { new_count: (before - items.len()) as i32 }
            }
            Write::AddMember { key, value } => {
                Answer::Members { new_count: i32::from(self.set(key)?.insert(value.clone())) }
            }
            Write::RemoveMember { key, value } => {
                Answer::Members { new_count: i32::from(self.set(key)?.remove(value)) }
            }
        })
    }

    fn read(&mut self, read: &Read) -> Expected {
        Some(match read {
            Read::Get { key } => match self.held.get(key) {
                Some(Held::Text { text, .. }) => Answer::Get { value: text.clone(), exists: true },
                Some(_) => return None,
                None => Answer::Get { value: String::new(), exists: false },
            },
            Read::Exists { key } => Answer::Get { value: String::new(), exists: self.held.contains_key(key) },
            Read::Range { key, start, stop } => {
                let items: Vec<String> = self.list(key)?.iter().cloned().collect();
                let len = items.len() as i32;
                let at = |index: i32| if index < 0 { len + index } else { index };
                let values = (at(*start).max(0)..=at(*stop).min(len - 1)).map(|index| items[index as usize].clone());
                Answer::Values { values: values.collect() }
            }
            Read::Members { key } => Answer::Values { values: self.set(key)?.iter().cloned().collect() },
            Read::Union { keys } => {
                let sets = keys.iter().map(|key| self.set(key).cloned()).collect::<Option<Vec<_>>>()?;
                Answer::Values { values: sets.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect() }
            }
            Read::Intersection { keys } => {
                let sets = keys.iter().map(|key| self.set(key).cloned()).collect::<Option<Vec<_>>>()?;
                let common = sets.into_iter().reduce(|one, other| &one & &other).expect("at least one");
                Answer::Values { values: common.into_iter().collect() }
            }
        })
    }
}

fn run(database: &Database, operation: &Operation, now_ms: u64) -> Expected {
    match operation {
        Operation::Read(read) => {
            let snapshot = database.begin_read().unwrap();
            Reader::new(&snapshot, now_ms, no_bounds()).unwrap().answer(read).ok()
        }
        Operation::Write(write) => {
            let transaction = database.begin_write().unwrap();
            let answer = {
                let mut editor = Editor::new(&transaction, now_ms).unwrap();
                let answer = editor.apply(write).ok();
                editor.sweep().unwrap();
                answer
            };
            transaction.commit().unwrap();
            answer
        }
    }
}

/// Items, members and expiries belong to entries, as many as the entries say.
fn check_nothing_is_left_behind(database: &Database) {
    let snapshot = database.begin_read().unwrap();
    let (mut items, mut members, mut expiries) = (0, 0, 0);
    for entry in snapshot.open_table(tables::ENTRIES).unwrap().iter().unwrap() {
        let record = entry.unwrap().1.value().to_vec();
        let entry = super::entry::Entry::decode(&record).unwrap();
        expiries += u64::from(entry.expires_ms != 0);
        match entry.body {
            super::entry::Body::List { len, .. } => items += len,
            super::entry::Body::Set { len } => members += len,
            super::entry::Body::Text(_) => assert_eq!(entry.kind(), Kind::Text),
        }
    }
    assert_eq!(snapshot.open_table(tables::ITEMS).unwrap().len().unwrap(), items);
    assert_eq!(snapshot.open_table(tables::MEMBERS).unwrap().len().unwrap(), members);
    assert_eq!(snapshot.open_table(tables::EXPIRIES).unwrap().len().unwrap(), expiries);
}

/// Few keys, neighbours in order among them, so that operations meet.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "k", "k\0", "ka", "z"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec!["", "a", "b", "1", "-7", "01", "2147483647"]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let write = prop_oneof![
        2 => (key(), -3..4).prop_map(|(key, value)| Write::Add { key, value }),
        3 => (key(), value(), prop_oneof![Just(0_u32), 1..4_u32])
            .prop_map(|(key, value, expires_s)| Write::Set { key, value, expires_s }),
        2 => key().prop_map(|key| Write::Remove { key }),
        4 => (key(), value()).prop_map(|(key, value)| Write::Push { key, value }),
        2 => (key(), value()).prop_map(|(key, value)| Write::RemoveItem { key, value }),
        4 => (key(), value()).prop_map(|(key, value)| Write::AddMember { key, value }),
        2 => (key(), value()).prop_map(|(key, value)| Write::RemoveMember { key, value }),
    ];
    let keys = || prop::collection::vec(key(), 1..4);
    let read = prop_oneof![
        key().prop_map(|key| Read::Get { key }),
        key().prop_map(|key| Read::Exists { key }),
        (key(), -4..5, -4..5).prop_map(|(key, start, stop)| Read::Range { key, start, stop }),
        key().prop_map(|key| Read::Members { key }),
        keys().prop_map(|keys| Read::Union { keys }),
        keys().prop_map(|keys| Read::Intersection { keys }),
    ];
    prop_oneof![write.prop_map(Operation::Write), read.prop_map(Operation::Read)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_as_the_model(steps in prop::collection::vec((operation(), 0..1500_u64), 1..60)) {
        let database = Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
        tables::prepare(&database).unwrap();
        let mut model = Model { now_ms: 1_000_000, ..Model::default() };
        for (operation, passes_ms) in steps {
            model.now_ms += passes_ms;
            let expected = model.run(&operation);
            prop_assert_eq!(run(&database, &operation, model.now_ms), expected, "{:?}", operation);
        }
        check_nothing_is_left_behind(&database);
    }
}

/// Each write sweeps some of what has expired, so that keys that nobody reads again go too.
#[test]
fn expired_values_are_swept() {
    let database = Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
    tables::prepare(&database).unwrap();
    let set = |key: String, expires_s| Operation::Write(Write::Set { key, value: "v".into(), expires_s });
    let count = crate::limits::SWEPT_VALUES_MAX + 1;
    for number in 0..count {
        run(&database, &set(format!("{number}"), 1), 0);
    }
    let entries =
        |database: &Database| database.begin_read().unwrap().open_table(tables::ENTRIES).unwrap().len().unwrap();
    assert_eq!(entries(&database), count as u64);
    run(&database, &set("one".into(), 0), 1000);
    assert_eq!(entries(&database), 2, "one write sweeps SWEPT_VALUES_MAX");
    run(&database, &set("one".into(), 0), 1000);
    assert_eq!(entries(&database), 1);
}
