//! `${VAR}` and `${VAR:default}`. A name is `[A-Za-z_][A-Za-z0-9_]*`, a default is any text without `}` on one line.
//!
//! A variable that is set wins, also when it is empty; one that is not set and has no default stays as it is written, and
//! so does everything else, `$VAR` among it. What a variable holds is not expanded again.

use super::document::{Data, Input, Node};
use super::{Fault, ManifestError};

/// All scalars together, expanded: a variable that is used often must not fill the memory.
const EXPANDED_BYTES_MAX: usize = 4 << 20;

/// What stands for the ASCII characters of a reference while YAML is read: a private area that YAML takes for letters.
const PRIVATE_START: u32 = 0x10_F000;
const PRIVATE_END: u32 = PRIVATE_START + 0x80;

/// One reference, found at the start of a text.
struct Reference<'t> {
    name: &'t str,
    default: Option<&'t str>,
    /// Its bytes, from `$` to `}`.
    length: usize,
}

impl<'t> Reference<'t> {
    fn at_start_of(text: &'t str, lines: &mut Lines) -> Option<Self> {
        let inner = text.strip_prefix("${")?;
        let (name, after) = inner.split_at(inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return None;
        }
        let default = match after.strip_prefix(':') {
            Some(after) => Some(&after[..lines.find_close(after)?]),
            None if after.starts_with('}') => None,
            None => return None,
        };
        let length = "${}".len() + name.len() + default.map_or(0, |default| ":".len() + default.len());
        Some(Self { name, default, length })
    }
}

/// Looks for the ends of defaults, and at no line twice: a text of nothing but `${A:` would take minutes otherwise.
struct Lines {
    /// How many bytes are left of the text where a line ends that has no `}` any more.
    unclosed_bytes_left: usize,
}

impl Lines {
    const NONE_SEEN: Self = Self { unclosed_bytes_left: usize::MAX };

    /// Where the first `}` is in a text that is later in the whole than those before, if it is on the first line.
    fn find_close(&mut self, text: &str) -> Option<usize> {
        if text.len() > self.unclosed_bytes_left {
            return None;
        }
        let end = text.find(['}', '\n', '\r']);
        let close = end.filter(|&end| text[end..].starts_with('}'));
        if close.is_none() {
            self.unclosed_bytes_left = end.map_or(0, |end| text.len() - end);
        }
        close
    }
}

/// A piece of a text.
enum Piece<'t> {
    Plain(&'t str),
    Reference(&'t str, Reference<'t>),
}

/// Cuts a text into its references and what is between them.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    let mut lines = Lines::NONE_SEEN;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(reference) = Reference::at_start_of(rest, &mut lines) {
            let (written, after) = rest.split_at(reference.length);
            rest = after;
            return Some(Piece::Reference(written, reference));
        }
        // Only a later `${` can begin one.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find("${").map_or(rest.len(), |next| first + next);
        let (plain, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Plain(plain))
    })
}

/// A text whose references YAML takes for letters. Lines and columns are those of the original.
pub(super) struct Mask {
    pub(super) text: String,
}

/// Masks every reference, or says at which byte a character stands that has no business there.
pub(super) fn mask(text: &str) -> Result<Mask, usize> {
    let is_private = |c: char| (PRIVATE_START..PRIVATE_END).contains(&u32::from(c));
    if let Some(byte) = text.find(is_private) {
        return Err(byte);
    }
    let mut masked = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => masked.push_str(plain),
            Piece::Reference(written, _) => masked.extend(written.chars().map(hide)),
        }
    }
    Ok(Mask { text: masked })
}

impl Mask {
    /// A scalar of the masked text, as it was written.
    pub(super) fn lift(&self, scalar: &str) -> String {
        scalar.chars().map(show).collect()
    }
}

fn hide(c: char) -> char {
    if c.is_ascii() { char::from_u32(PRIVATE_START + u32::from(c)).unwrap_or(c) } else { c }
}

fn show(c: char) -> char {
    match u32::from(c) {
        code @ PRIVATE_START..PRIVATE_END => char::from_u32(code - PRIVATE_START).unwrap_or(c),
        _ => c,
    }
}

/// Expands every key and scalar of the tree.
pub(super) fn expand(
    input: &Input<'_>,
    node: &mut Node,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), ManifestError> {
    let mut expansion = Expansion { environment, bytes_left: EXPANDED_BYTES_MAX };
    expansion.node(node).map_err(|fault| ManifestError::of_file(input.name, fault))
}

struct Expansion<'e> {
    environment: &'e dyn Fn(&str) -> Option<String>,
    bytes_left: usize,
}

impl Expansion<'_> {
    /// As deep as the reader lets a tree be.
    fn node(&mut self, node: &mut Node) -> Result<(), Fault> {
        match &mut node.data {
            Data::Nothing => Ok(()),
            Data::Text(text) => self.scalar(text),
            Data::List(list) => list.iter_mut().try_for_each(|entry| self.node(entry)),
            Data::Mapping(mapping) => mapping.iter_mut().try_for_each(|(key, value)| {
                self.scalar(&mut key.text)?;
                self.node(value)
            }),
        }
    }

    fn scalar(&mut self, text: &mut String) -> Result<(), Fault> {
        if !text.contains("${") {
            return self.spend(text.len());
        }
        let mut expanded = String::new();
        for piece in pieces(text) {
            let (written, value) = match piece {
                Piece::Plain(plain) => (plain, None),
                Piece::Reference(written, reference) => {
                    let default = || reference.default.map(str::to_owned);
                    (written, (self.environment)(reference.name).or_else(default))
                }
            };
            let part = value.as_deref().unwrap_or(written);
            self.spend(part.len())?;
            expanded.push_str(part);
        }
        *text = expanded;
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or(Fault::ExpandedTooLarge { bytes_max: EXPANDED_BYTES_MAX })?;
        Ok(())
    }
}
