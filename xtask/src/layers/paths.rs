//! Finds the modules of its own crate that a source file names: `crate::name`, `crate::{a::X, b}`, and `super::name` that climbs out.
//! It reads text and knows no Rust beyond that; comments are skipped, strings are not.

/// A top-level module named in a file, and the line (from 1) where the path begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) module: String,
    pub(super) line: usize,
}

/// Every mention of a top-level module, in order. `depth` is the number of names in the file's own module path.
pub(super) fn imports(text: &str, depth: usize) -> Vec<Import> {
    let text = without_comments(text);
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some((start, after)) = next_path(&text, rest, depth) {
        let line = text[..start].matches('\n').count() + 1;
        found.extend(heads(&text[after..]).into_iter().map(|module| Import { module, line }));
        rest = after;
    }
    found
}

/// The next path that begins at the crate's root: where it begins, and where the text after the root's `::` begins.
fn next_path(text: &str, from: usize, depth: usize) -> Option<(usize, usize)> {
    let mut at = from;
    while let Some(word) = next_word(text, at) {
        at = word.end;
        let free = !text[..word.start].ends_with(['$', ':']);
        let climbed = match &text[word.start..word.end] {
            "crate" if free => depth,
            "super" if free => 1,
            _ => continue,
        };
        let (end, climbed) = climb(text, word.end, climbed);
        if climbed >= depth && end != word.end {
            return Some((word.start, end));
        }
    }
    None
}

/// From the end of a first `super`, past every `::super` and the last `::`; how many levels that climbs.
fn climb(text: &str, from: usize, climbed: usize) -> (usize, usize) {
    let Some(after) = text[from..].strip_prefix("::") else {
        return (from, climbed);
    };
    let at = from + 2;
    match after.strip_prefix("super") {
        Some(tail) if tail.starts_with("::") => climb(text, at + "super".len(), climbed + 1),
        _ => (at, climbed),
    }
}

/// The first names of a path or of each path in a group: `a::b` is `a`, `{a::{b, c}, d}` is `a` and `d`.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return head(path).into_iter().collect();
    };
    let mut found = Vec::new();
    let mut level = 0_usize;
    let mut fresh = true;
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => fresh = true,
            _ if fresh && level == 0 && is_word(sign) => {
                found.extend(head(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

fn head(path: &str) -> Option<String> {
    let word: String = path.chars().take_while(|sign| is_word(*sign)).collect();
    (!word.is_empty() && word != "self").then_some(word)
}

fn next_word(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let start = from + text[from..].find(is_word)?;
    let end = text[start..].find(|sign| !is_word(sign)).map_or(text.len(), |length| start + length);
    Some(start..end)
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// The text with each line's comment cut off; lines stay where they are.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::imports;

    /// A text, the depth of its file, and the modules with the lines that should be found.
    type Case<'a> = (&'a str, usize, &'a [(&'a str, usize)]);

    #[test]
    fn finds_top_level_modules() {
        let cases: &[Case<'_>] = &[
            ("use crate::links::Link;", 1, &[("links", 1)]),
            ("\n\nlet a = crate::links::get(crate::words::Id(1));", 2, &[("links", 3), ("words", 3)]),
            ("use crate::{links::{Link, Links}, words, self};", 1, &[("links", 1), ("words", 1)]),
            ("use crate::{\n    links,\n    words::Id,\n};", 1, &[("links", 1), ("words", 1)]),
            ("use super::links::Link;", 1, &[("links", 1)]),
            ("use super::links::Link;", 2, &[]),
            ("use super::super::links::Link;", 2, &[("links", 1)]),
            ("use super::super::super::links::Link;", 2, &[("links", 1)]),
            ("$crate::links::get!(); other::crate_name; // crate::links", 1, &[]),
            ("pub(crate) fn f() {} pub(super) struct S;", 1, &[]),
            ("use super::*;", 1, &[]),
        ];
        for (text, depth, expected) in cases {
            let found = imports(text, *depth);
            let found: Vec<(&str, usize)> = found.iter().map(|import| (import.module.as_str(), import.line)).collect();
            assert_eq!(found, *expected, "{text}");
        }
    }
}
