//! A walk through the tree that knows the path of every key, so that each error can say where.

use super::document::{At, Data, Input, Node};
use super::fault::{Fault, shown};
use super::nearest::nearest;
use super::{ManifestError, Position};

/// The keys of one kind of mapping.
pub(super) struct Known {
    pub(super) keys: &'static [&'static str],
    /// Keys that a later version will know.
    pub(super) later: &'static [&'static str],
    /// Whether a later version may know any other key as well.
    pub(super) may_grow: bool,
}

/// One node, and how it was reached.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    input: &'a Input<'a>,
    node: &'a Node,
    key_path: String,
    at: Option<At>,
}

/// A mapping whose keys have been checked.
pub(super) struct Fields<'a> {
    cursor: Cursor<'a>,
    entries: Vec<(&'a str, Cursor<'a>)>,
}

impl<'a> Cursor<'a> {
    pub(super) fn at_root(input: &'a Input<'a>, node: &'a Node) -> Self {
        let at = node.at.or(Some(At::Position(Position { line: 1, column: 1 })));
        Self { input, node, key_path: String::new(), at }
    }

    fn child(&self, step: String, at: Option<At>, node: &'a Node) -> Self {
        let key_path = if step.starts_with('[') || self.key_path.is_empty() {
            format!("{}{step}", self.key_path)
        } else {
            format!("{}.{step}", self.key_path)
        };
        Self { input: self.input, node, key_path, at: node.at.or(at).or(self.at) }
    }

    pub(super) fn key_path(&self) -> &str {
        &self.key_path
    }

    /// That something is wrong right here.
    pub(super) fn refuse(&self, fault: Fault) -> ManifestError {
        self.refuse_at(self.at, fault)
    }

    fn refuse_at(&self, at: Option<At>, fault: Fault) -> ManifestError {
        ManifestError::of_file(self.input.name, fault).at(self.input.position(at)).under(&self.key_path)
    }

    fn wrong_type(&self, expected: &'static str) -> ManifestError {
        let found = match self.node.data {
            Data::Nothing => "nothing",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Mapping(_) => "a mapping",
        };
        self.refuse(Fault::WrongType { found, expected })
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.node.data, Data::Nothing)
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.node.data, Data::Text(_))
    }

    /// A text, which may be empty.
    pub(super) fn text(&self, expected: &'static str) -> Result<&'a str, ManifestError> {
        match &self.node.data {
            Data::Text(text) => Ok(text),
            _ => Err(self.wrong_type(expected)),
        }
    }

    /// A text that is more than white space.
    pub(super) fn filled(&self, expected: &'static str) -> Result<&'a str, ManifestError> {
        match self.text(expected)? {
            text if text.trim().is_empty() => Err(self.refuse(Fault::Blank { expected })),
            text => Ok(text),
        }
    }

    pub(super) fn list(&self, expected: &'static str) -> Result<Vec<Self>, ManifestError> {
        let Data::List(list) = &self.node.data else { return Err(self.wrong_type(expected)) };
        Ok(list.iter().enumerate().map(|(index, node)| self.child(format!("[{index}]"), None, node)).collect())
    }

    /// The entries of a mapping with any keys, each of them once.
    pub(super) fn entries(&self, expected: &'static str) -> Result<Vec<(&'a str, Self)>, ManifestError> {
        let Data::Mapping(mapping) = &self.node.data else { return Err(self.wrong_type(expected)) };
        let mut seen = std::collections::BTreeSet::new();
        let mut entries = Vec::with_capacity(mapping.len());
        for (key, node) in mapping {
            if key.text.trim().is_empty() {
                return Err(self.refuse_at(key.at.or(self.at), Fault::Blank { expected: "a key" }));
            }
            if !seen.insert(&key.text) {
                return Err(self.refuse_at(key.at.or(self.at), Fault::DuplicateKey { key: shown(&key.text) }));
            }
            entries.push((key.text.as_str(), self.child(step(&key.text), key.at, node)));
        }
        Ok(entries)
    }

    /// The entries of a mapping with known keys only.
    pub(super) fn fields(&self, known: &Known, expected: &'static str) -> Result<Fields<'a>, ManifestError> {
        let Data::Mapping(mapping) = &self.node.data else { return Err(self.wrong_type(expected)) };
        for (key, _) in mapping {
            let text = key.text.as_str();
            if known.keys.contains(&text) {
                continue;
            }
            let (key_shown, nearest) = (shown(text), nearest(text, known.keys));
            let fault = if known.may_grow || known.later.contains(&text) {
                let nearest = nearest.filter(|_| known.may_grow);
                Fault::NotSupported { key: key_shown, nearest, known: known.keys }
            } else {
                Fault::UnknownKey { key: key_shown, nearest, known: known.keys }
            };
            return Err(self.refuse_at(key.at.or(self.at), fault));
        }
        Ok(Fields { cursor: self.clone(), entries: self.entries(expected)? })
    }
}

impl<'a> Fields<'a> {
    /// The value of a key, unless it is missing or nothing.
    pub(super) fn get(&self, key: &'static str) -> Option<&Cursor<'a>> {
        self.entries.iter().find(|(name, value)| *name == key && !value.is_nothing()).map(|(_, value)| value)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &'static str) -> Result<&Cursor<'a>, ManifestError> {
        self.get(key).ok_or_else(|| self.cursor.refuse(Fault::MissingKey { key }))
    }
}

/// A key as a step of a path, quoted where it would read as more than one.
fn step(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if key.chars().all(plain) { key.to_owned() } else { format!("[{}]", shown(key)) }
}
