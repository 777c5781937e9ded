//! The values of a provider's links, which are shown nowhere, and the one way to take them out of its words.
//!
//! A value is found as it was set, or line by line where it has several. What the provider made of it (a hash, an
//! encoding, a half) is not found: a provider that is careless with its secrets can be seen to be, and no more is promised.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::{Bound, Range};
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use parking_lot::Mutex;

use super::Settings;
use crate::crash::Payload;

/// Values of up to so many bytes stay: they hide nothing, and are found in any text.
const SHOWN_BYTES_MAX: usize = 3;

/// Lines of the environment and of secrets, together.
const ALWAYS_MAX: usize = 1 << 14;

/// What stands for a value.
const MARK: &str = "…";

/// Settings whose name begins so are added by the host, from claims that anybody may read.
const PUBLIC_PREFIX: &str = "__wasmcloud_";

/// Text that is about as long as a line may be has been cut, perhaps within a value.
const CUT_BYTES_MIN: usize = super::output::LINE_BYTES_MAX - 4;

/// The values of one provider's links. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Hidden {
    values: Arc<Mutex<Values>>,
}

#[derive(Clone, Default)]
struct Values {
    all: BTreeSet<String>,
    /// Those of `all` that the process before this one knew, of which lines may still come.
    former: BTreeSet<String>,
    /// Those that stay whatever the links are: of the environment, and of secrets.
    always: BTreeSet<String>,
    /// Made when it is needed: links come in bursts.
    finder: Option<Finder>,
}

/// Finds them; clones share it.
#[derive(Clone)]
struct Finder {
    whole: AhoCorasick,
    all: Arc<BTreeSet<String>>,
}

impl Hidden {
    /// Hides the values of one more link.
    pub(super) fn hide(&self, settings: &Settings) {
        let mut values = self.values.lock();
        for piece in pieces(settings) {
            values.former.remove(&piece);
            if values.all.insert(piece) {
                values.finder = None;
            }
        }
    }

    /// Hides a text that is no value of a link, for as long as the provider is there.
    pub(super) fn hide_text(&self, text: &str) {
        let mut values = self.values.lock();
        for piece in pieces_of(text) {
            if values.always.len() < ALWAYS_MAX && values.always.insert(piece.to_owned()) {
                values.all.insert(piece.to_owned());
                values.finder = None;
            }
        }
    }

    /// What is hidden now, whatever is forgotten or learned later.
    pub(super) fn as_it_is(&self) -> Self {
        let values = self.values.lock();
        Self { values: Arc::new(Mutex::new(values.clone())) }
    }

    /// How many are hidden.
    pub(super) fn count(&self) -> usize {
        self.values.lock().all.len()
    }

    /// A process begins that is told of these links and no others. What the one before it knew is hidden as long as this one
    /// lives.
    pub(super) fn begin<'a>(&self, links: impl Iterator<Item = &'a Settings>) {
        let mut values = self.values.lock();
        let present: BTreeSet<String> = values.always.iter().cloned().chain(links.flat_map(pieces)).collect();
        let known = std::mem::take(&mut values.all);
        let former = known.difference(&values.former).filter(|value| !present.contains(*value)).cloned().collect();
        values.former = former;
        values.all = &present | &values.former;
        values.finder = None;
    }

    /// The text without them. Of two that overlap both go.
    pub(super) fn taken_out_of<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(finder) = self.values.lock().finder() else { return Cow::Borrowed(text) };
        finder.take_out(text)
    }

    /// A payload without them, and without the beginning of one where the payload was cut.
    pub(super) fn taken_out_of_payload(&self, payload: &Payload) -> Payload {
        let Some(finder) = self.values.lock().finder() else { return payload.clone() };
        let begun = if payload.left_out == 0 { 0 } else { finder.begun_at_the_end_of(&payload.start) };
        Payload { start: finder.take_out_of_bytes(&payload.start, begun), ..payload.clone() }
    }
}

impl Values {
    fn finder(&mut self) -> Option<Finder> {
        if self.finder.is_none() && !self.all.is_empty() {
            let whole = AhoCorasick::new(&self.all);
            // It fails for more than some two thousand million bytes of values, which no control socket carried.
            self.finder = whole.ok().map(|whole| Finder { whole, all: Arc::new(self.all.clone()) });
        }
        self.finder.clone()
    }
}

impl Finder {
    fn take_out<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let kept = if text.len() < CUT_BYTES_MIN { text } else { self.without_begun(text) };
        let (mut shown, mut at) = (String::new(), 0);
        for Range { start, end } in self.found_in(kept.as_bytes()) {
            // Values are text, so they begin and end where characters do.
            shown.extend([&kept[at..start], MARK]);
            at = end;
        }
        let rest = &kept[at..];
        if at == 0 { Cow::Borrowed(rest) } else { Cow::Owned(shown + rest) }
    }

    /// Where values lie; those that overlap are one.
    fn found_in(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        joined(self.whole.find_overlapping_iter(bytes).map(|found| found.range()).collect())
    }

    /// The bytes without the values, and without the last `begun`.
    fn take_out_of_bytes(&self, bytes: &[u8], begun: usize) -> Vec<u8> {
        let mut found = self.found_in(bytes);
        if begun > 0 {
            found.push(bytes.len() - begun..bytes.len());
        }
        let (mut shown, mut at) = (Vec::with_capacity(bytes.len()), 0);
        for Range { start, end } in joined(found) {
            shown.extend([&bytes[at..start], MARK.as_bytes()].concat());
            at = end;
        }
        shown.extend_from_slice(&bytes[at..]);
        shown
    }

    /// How many bytes at the end are the beginning of a value.
    fn begun_at_the_end_of(&self, bytes: &[u8]) -> usize {
        let begun = |value: &String| {
            let tail = &bytes[bytes.len() - bytes.len().min(value.len() - 1)..];
            (0..tail.len()).find(|at| value.as_bytes().starts_with(&tail[*at..])).map_or(0, |at| tail.len() - at)
        };
        self.all.iter().map(begun).max().filter(|begun| *begun > SHOWN_BYTES_MAX).unwrap_or(0)
    }

    /// The text without the beginning of a value at its very end.
    fn without_begun<'a>(&self, text: &'a str) -> &'a str {
        // A character that was cut in two was replaced.
        let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
        let begins = |tail: &str| {
            let next = self.all.range::<str, _>((Bound::Included(tail), Bound::Unbounded)).next();
            next.is_some_and(|value| value.starts_with(tail))
        };
        let mut places = text.char_indices().map(|(at, _)| at);
        let at = places.find(|at| text.len() - at > SHOWN_BYTES_MAX && begins(&text[*at..]));
        &text[..at.unwrap_or(text.len())]
    }
}

/// Those that overlap become one; those that only touch don't.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut().filter(|last| range.start < last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => joined.push(range),
        }
    }
    joined
}

fn pieces(settings: &Settings) -> impl Iterator<Item = String> {
    let secret = settings.iter().filter(|(name, _)| !name.starts_with(PUBLIC_PREFIX));
    secret.flat_map(|(_, value)| pieces_of(value)).map(str::to_owned)
}

/// A value as a whole, and each of its lines.
fn pieces_of(value: &str) -> impl Iterator<Item = &str> {
    std::iter::once(value).chain(value.lines()).filter(|line| line.len() > SHOWN_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings(values: &[&str]) -> Settings {
        let numbered = values.iter().enumerate().map(|(at, value)| (at.to_string(), (*value).to_owned()));
        Arc::new(numbered.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn values_are_taken_out_whole() {
        let check = |text: &str, values: &[&str], expected: &str| {
            let hidden = Hidden::default();
            hidden.hide(&settings(values));
            assert_eq!(hidden.taken_out_of(text), expected, "{text:?} without {values:?}");
        };
        check("no such user: hunter2", &["hunter2"], "no such user: …");
        check("redis://a:hunter2@db is down", &["hunter2", "redis://a:hunter2@db"], "… is down");
        check("key abcd, key abc", &["abc", "abcd"], "key …, key abc");
        check("a abcdef b", &["abcd", "cdef", "bcde"], "a … b");
        check("abcdabcd, cdab", &["abcd", "cdab"], "…, …");
        check("abcdabcd", &["abcd"], "……");
        check("port 80 is taken", &["80", ""], "port 80 is taken");
        check("nothing of it", &["hunter2"], "nothing of it");
        check("read MIIC of it", &["-----BEGIN\nMIIC\n-----END"], "read … of it");
        let long = "x".repeat(CUT_BYTES_MIN - 4);
        check(&format!("{long}hunt"), &["hunter2"], &long);
        check(&format!("{long}hun_"), &["hunter2"], &format!("{long}hun_"));
    }

    #[test]
    fn values_are_taken_out_of_payloads_and_so_is_the_beginning_of_one_at_a_cut() {
        let check = |start: &[u8], left_out: u64, expected: &[u8]| {
            let hidden = Hidden::default();
            hidden.hide(&settings(&["hunter2", "ter2abc-abc"]));
            let payload = Payload { start: start.to_vec(), bytes: start.len() as u64 + left_out, left_out };
            let shown = hidden.taken_out_of_payload(&payload);
            assert_eq!(shown.start, expected, "{:?}", String::from_utf8_lossy(start));
            assert_eq!((shown.bytes, shown.left_out), (payload.bytes, left_out));
        };
        check(b"\x82\xa7hunter2\x01", 0, b"\x82\xa7\xe2\x80\xa6\x01");
        check(b"hunter2hunter2", 0, "……".as_bytes());
        check(b"not: hunt", 0, "not: hunt".as_bytes());
        check(b"not: hunt", 9, "not: …".as_bytes());
        check(b"not: hun", 9, "not: hun".as_bytes());
        check(b"of two: hunter2abc-", 9, "of two: …".as_bytes());
        check(b"", 9, "".as_bytes());
    }

    #[test]
    fn what_the_host_adds_is_no_secret_and_what_is_gone_is_forgotten() {
        let hidden = Hidden::default();
        hidden.hide(&Arc::new(BTreeMap::from([("__wasmcloud_name".to_owned(), "echo".to_owned())])));
        assert_eq!(hidden.taken_out_of("echo"), "echo");
        hidden.hide(&settings(&["hunter2"]));
        assert_eq!(hidden.taken_out_of("hunter2"), "…");
        let begin = |value| hidden.begin([settings(&[value])].iter());
        begin("other");
        assert_eq!(hidden.taken_out_of("hunter2 other"), "… …", "the process before knew it");
        begin("third");
        assert_eq!(hidden.taken_out_of("hunter2 other third"), "hunter2 … …");
        hidden.hide(&settings(&["hunter2"]));
        begin("third");
        assert_eq!(hidden.taken_out_of("hunter2 other third"), "… other …");
        hidden.hide(&settings(&["hunter2"]));
        begin("third");
        assert_eq!(hidden.taken_out_of("hunter2 third"), "… …", "the process before was told again");
    }
}
