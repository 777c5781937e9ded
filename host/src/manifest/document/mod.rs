//! One tree for YAML and JSON, whose nodes know their places. It knows no key of a manifest.
//!
//! Every scalar is kept as it was written, `8080` and `true` and `1.50`, because a manifest has texts only.

mod json;
mod yaml;

use std::fmt;
use std::path::Path;

use super::{ManifestError, Position};

/// Lists and mappings within each other. No key of a manifest needs more than five.
pub(super) const DEPTH_MAX: usize = 16;
/// Scalars, lists and mappings, each counted again wherever an alias repeats it.
pub(super) const NODES_MAX: usize = 100_000;

/// How a manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2, one document.
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// YAML for `.yaml`, `.yml` and no extension at all, JSON for every other one.
    pub fn of(path: &Path) -> Self {
        match path.extension() {
            None => Self::Yaml,
            Some(extension) if ["yaml", "yml"].iter().any(|yaml| extension.eq_ignore_ascii_case(yaml)) => Self::Yaml,
            Some(_) => Self::Json,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yaml => "YAML",
            Self::Json => "JSON",
        })
    }
}

/// What is read.
pub(super) struct Input<'a> {
    /// Stands for the file in errors.
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

/// A place, as cheap as its reader has it: the line is only counted for an error.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Position(Position),
    Byte(usize),
}

/// A scalar, a list or a mapping.
#[derive(Debug)]
pub(super) struct Node {
    /// `None` where the reader doesn't know: then what holds it is near enough.
    pub(super) at: Option<At>,
    pub(super) data: Data,
}

#[derive(Debug)]
pub(super) enum Data {
    Nothing,
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// The key of a mapping. The same one may be there twice.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) at: Option<At>,
    pub(super) text: String,
}

impl Input<'_> {
    pub(super) fn position(&self, at: Option<At>) -> Option<Position> {
        match at? {
            At::Position(position) => Some(position),
            At::Byte(byte) => self.text.get(..byte).map(Position::at_end_of),
        }
    }
}

/// Reads the whole text. Variables are not expanded yet.
pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Node, ManifestError> {
    match format {
        Format::Yaml => yaml::read(input),
        Format::Json => json::read(input),
    }
}
