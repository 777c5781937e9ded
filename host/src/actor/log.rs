//! What a guest writes for people: bounded in length and rate, made printable, and said with the actor's identity.
//!
//! A guest's words never reach a terminal as they are: control characters and the ones that hide or reorder text are escaped.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::words::Deadline;

/// Longest line, in bytes of what the guest wrote.
pub(super) const LINE_BYTES_MAX: usize = 4 << 10;
/// Lines of one actor, all its instances together, in one second.
const LINES_PER_SECOND_MAX: u64 = 500;
const SECOND_NS: u64 = 1_000_000_000;

/// The log of one actor.
#[derive(Debug)]
pub(super) struct GuestLog {
    actor: String,
    name: String,
    rate: Rate,
}

impl GuestLog {
    pub(super) fn new(actor: String, name: String) -> Self {
        Self { actor, name, rate: Rate::default() }
    }

    /// Writes one line, or counts it as dropped.
    pub(super) fn line(&self, bytes: &[u8]) {
        let Admitted::Yes { dropped_before } = self.rate.admit(Deadline::now().as_monotonic_ns() / SECOND_NS) else {
            return;
        };
        let (actor, name) = (self.actor.as_str(), self.name.as_str());
        if dropped_before > 0 {
            tracing::warn!(actor, name, lines = dropped_before, "the actor wrote too many lines; some were dropped");
        }
        tracing::info!(actor, name, "{}", printable(bytes));
    }
}

/// How many lines this second, packed into one word so that every thread can count: the second in the upper 32 bits,
/// lines in the lower. A race at the turn of a second miscounts by a line or two, which does not matter.
#[derive(Debug, Default)]
struct Rate {
    second_and_lines: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
enum Admitted {
    Yes { dropped_before: u64 },
    No,
}

impl Rate {
    fn admit(&self, second: u64) -> Admitted {
        let second = second & 0xffff_ffff;
        let before = self.second_and_lines.load(Ordering::Relaxed);
        if before >> 32 != second {
            self.second_and_lines.store((second << 32) | 1, Ordering::Relaxed);
            return Admitted::Yes { dropped_before: (before & 0xffff_ffff).saturating_sub(LINES_PER_SECOND_MAX) };
        }
        if self.second_and_lines.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff < LINES_PER_SECOND_MAX {
            Admitted::Yes { dropped_before: 0 }
        } else {
            Admitted::No
        }
    }
}

/// A guest's bytes as text that is safe to show: at most [`LINE_BYTES_MAX`] of them.
pub(super) fn printable(bytes: &[u8]) -> String {
    let taken = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let mut text = cofferdam_claims::printable(&String::from_utf8_lossy(taken));
    if bytes.len() > taken.len() {
        let _ = write!(text, " [{} bytes more]", bytes.len() - taken.len());
    }
    text
}

/// Bytes on file descriptors 1 and 2 that do not end a line yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: [Vec<u8>; 2],
}

impl Lines {
    /// Adds what a guest wrote to stdout (0) or stderr (1), writing out every finished line.
    pub(super) fn push(&mut self, stream: usize, bytes: &[u8], log: &GuestLog) {
        let pending = &mut self.pending[stream];
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (body, ended) = part.strip_suffix(b"\n").map_or((part, false), |body| (body, true));
            for piece in body.chunks(LINE_BYTES_MAX) {
                if pending.len() + piece.len() > LINE_BYTES_MAX {
                    log.line(pending);
                    pending.clear();
                }
                pending.extend_from_slice(piece);
            }
            if ended {
                log.line(pending);
                pending.clear();
            }
        }
    }

    /// Writes out what is left, at the end of a call.
    pub(super) fn flush(&mut self, log: &GuestLog) {
        for pending in &mut self.pending {
            if !pending.is_empty() {
                log.line(pending);
                pending.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_text_is_made_printable() {
        for (bytes, shown) in [
            (&b"plain \xc3\xa9\ttab"[..], "plain é tab"),
            (b"\x1b[2J\r\nx", "\\u{1b}[2J\\r\\nx"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
            ("a\u{61c}b\u{ad}c\u{200b}\u{e0041}".as_bytes(), "a\\u{61c}b\\u{ad}c\\u{200b}\\u{e0041}"),
            (b"", ""),
        ] {
            assert_eq!(printable(bytes), shown);
        }
        assert!(printable(&vec![b'x'; LINE_BYTES_MAX + 5]).ends_with("x [5 bytes more]"));
        assert_eq!(printable(&vec![b'x'; LINE_BYTES_MAX]).len(), LINE_BYTES_MAX);
    }

    #[test]
    fn the_rate_is_bounded_and_tells_what_it_dropped() {
        let rate = Rate::default();
        let admitted = (0..LINES_PER_SECOND_MAX + 7).filter(|_| rate.admit(9) != Admitted::No).count() as u64;
        assert_eq!(admitted, LINES_PER_SECOND_MAX);
        assert_eq!(rate.admit(10), Admitted::Yes { dropped_before: 7 });
        assert_eq!(rate.admit(10), Admitted::Yes { dropped_before: 0 });
    }
}
