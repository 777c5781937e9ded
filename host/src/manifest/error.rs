//! One thing that is wrong with one manifest, and where.

use std::fmt;

use crate::words::Blame;

use super::Fault;

/// What is wrong with a manifest, and where: the file, the line and column if known, the path of the key.
#[derive(Debug)]
pub struct ManifestError(Box<Place>);

#[derive(Debug)]
struct Place {
    file: String,
    position: Option<Position>,
    key_path: String,
    fault: Fault,
}

/// A place in a text; both count from 1, and columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The character in it.
    pub column: u64,
}

impl Position {
    /// The place right after `text`.
    pub(super) fn at_end_of(text: &str) -> Self {
        let line_start = text.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[..line_start].matches('\n').count() as u64 + 1;
        Self { line, column: text[line_start..].chars().count() as u64 + 1 }
    }
}

impl ManifestError {
    pub(super) fn of_file(file: &str, fault: Fault) -> Self {
        Self(Box::new(Place { file: file.to_owned(), position: None, key_path: String::new(), fault }))
    }

    pub(super) fn at(mut self, position: impl Into<Option<Position>>) -> Self {
        self.0.position = position.into();
        self
    }

    pub(super) fn under(mut self, key_path: &str) -> Self {
        key_path.clone_into(&mut self.0.key_path);
        self
    }

    /// What is wrong.
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// The file, or what stood for it.
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// Where in the file, if known.
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// The path of the key, such as `links[2].values.PORT`; empty when it is about the whole file.
    pub fn key_path(&self) -> &str {
        &self.0.key_path
    }

    /// Whose fault it is: always the operator's.
    pub const fn blame(&self) -> Blame {
        Blame::Operator
    }

    /// The word for programs. A released word never changes.
    pub fn kind(&self) -> &'static str {
        self.0.fault.kind()
    }

    /// What to do next, for a person.
    pub fn next_step(&self) -> &'static str {
        self.0.fault.next_step()
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.file)?;
        if let Some(Position { line, column }) = self.0.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.0.key_path.is_empty() {
            write!(f, ": {}", self.0.key_path)?;
        }
        write!(f, ": {}", self.0.fault)
    }
}

impl std::error::Error for ManifestError {
    /// The fault is in the text already; what lies behind it is the cause.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.fault)
    }
}
