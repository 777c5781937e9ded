//! JSON by `serde_json`. A text without escapes is borrowed from the file, which tells its place.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::{At, DEPTH_MAX, Data, Format, Input, Key, NODES_MAX, Node};
use crate::manifest::{Fault, ManifestError, Position};

pub(super) fn read(input: &Input<'_>) -> Result<Node, ManifestError> {
    let nodes_left = Cell::new(NODES_MAX);
    let seed = Seed { text: input.text, depth: 0, nodes_left: &nodes_left };
    let mut reader = serde_json::Deserializer::from_str(input.text);
    let node = seed.deserialize(&mut reader).and_then(|node| reader.end().map(|()| node));
    node.map_err(|error| refuse(input, &error))
}

fn refuse(input: &Input<'_>, error: &serde_json::Error) -> ManifestError {
    let (line, column) = (error.line() as u64, error.column() as u64);
    let text = error.to_string();
    let message = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let fault = match message {
        TOO_DEEP | "recursion limit exceeded" => Fault::TooDeep { depth_max: DEPTH_MAX },
        TOO_MUCH => Fault::TooMuch { what: format!("more than {NODES_MAX} entries") },
        _ => Fault::Syntax { format: Format::Json, message: message.to_owned() },
    };
    ManifestError::of_file(input.name, fault).at((line > 0).then_some(Position { line, column }))
}

const TOO_DEEP: &str = "too deep";
const TOO_MUCH: &str = "too much";

#[derive(Clone, Copy)]
struct Seed<'de, 'c> {
    text: &'de str,
    depth: usize,
    nodes_left: &'c Cell<usize>,
}

impl<'de> Seed<'de, '_> {
    /// Where a borrowed part of the text begins: its quote is before it.
    fn at(&self, part: &'de str) -> Option<At> {
        let byte = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?.checked_sub(1)?;
        (byte < self.text.len()).then_some(At::Byte(byte))
    }

    fn deeper<E: Error>(&self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(Self { depth: self.depth + 1, ..*self })
    }
}

fn unplaced(data: Data) -> Node {
    Node { at: None, data }
}

impl<'de> DeserializeSeed<'de> for Seed<'de, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let left = self.nodes_left.get().checked_sub(1).ok_or_else(|| D::Error::custom(TOO_MUCH))?;
        self.nodes_left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'de, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(unplaced(Data::Nothing))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(unplaced(Data::Text(value.to_string())))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(unplaced(Data::Text(value.to_string())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(unplaced(Data::Text(value.to_string())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(unplaced(Data::Text(value.to_string())))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Node, E> {
        Ok(Node { at: self.at(value), data: Data::Text(value.to_owned()) })
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(unplaced(Data::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(inner)? {
            list.push(entry);
        }
        Ok(unplaced(Data::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let inner = self.deeper()?;
        let mut mapping = Vec::new();
        while let Some(key) = entries.next_key_seed(inner)? {
            let Data::Text(text) = key.data else { return Err(A::Error::custom("a key is a text")) };
            mapping.push((Key { at: key.at, text }, entries.next_value_seed(inner)?));
        }
        Ok(unplaced(Data::Mapping(mapping)))
    }
}
