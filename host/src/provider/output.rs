//! What a provider's process writes to its standard streams: always read, so that it never blocks, and bounded before it
//! reaches the log. Control characters are escaped: it may try to paint the operator's terminal.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use cofferdam_channel::protocol::limits::clip;
use cofferdam_claims::printable;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::hidden::Hidden;
use super::tail::Tail;
use crate::words::ProviderKey;

/// What is longer is cut, and the rest of the line dropped.
pub(super) const LINE_BYTES_MAX: usize = 4 << 10;
/// Lines that reach the log in one period; what is beyond is dropped and counted.
const LINES_MAX: u32 = 200;
const PERIOD: Duration = Duration::from_secs(1);

/// Whose stream it is.
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) provider: ProviderKey,
    pub(super) pid: u32,
    /// Where its last lines are kept.
    pub(super) tail: Tail,
}

/// Reads one stream until its end.
pub(super) async fn drain(stream: OwnedFd, source: Source, hidden: Hidden) {
    let Source { name, provider, pid, tail } = source;
    let Ok(mut pipe) = Receiver::from_owned_fd(stream) else { return };
    let mut lines = Lines::default();
    let mut chunk = vec![0; 16 << 10];
    let write = |line: &str, dropped: u64| {
        let line = printable(&hidden.taken_out_of(line));
        tell_dropped(&provider, dropped);
        tail.push(name, &line, dropped);
        tracing::info!(target: "cofferdam::provider", %provider, pid, stream = name, "{line}");
    };
    loop {
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => lines.feed(&chunk[..read], Instant::now(), write),
        }
    }
    lines.finish(Instant::now(), write);
}

/// Cuts bytes into bounded lines, and lets through as many as the log may take.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    limiter: Limiter,
}

/// Lets through so many lines in a period, and counts the others.
#[derive(Default)]
pub(super) struct Limiter {
    period: Option<(Instant, u32)>,
    dropped: u64,
}

impl Limiter {
    /// How many were dropped before this one, or None to drop it, too.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        let count = match &mut self.period {
            Some((began, count)) if now.duration_since(*began) < PERIOD => {
                *count += 1;
                *count
            }
            period => {
                *period = Some((now, 1));
                1
            }
        };
        if count > LINES_MAX {
            self.dropped += 1;
            return None;
        }
        Some(std::mem::take(&mut self.dropped))
    }
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], now: Instant, mut write: impl FnMut(&str, u64)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = LINE_BYTES_MAX - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.end_line(now, &mut write);
            }
        }
    }

    fn finish(mut self, now: Instant, mut write: impl FnMut(&str, u64)) {
        if !self.line.is_empty() {
            self.end_line(now, &mut write);
        }
        if self.limiter.dropped > 0 {
            write("(lines were dropped)", self.limiter.dropped);
        }
    }

    fn end_line(&mut self, now: Instant, write: &mut impl FnMut(&str, u64)) {
        if let Some(dropped) = self.limiter.admit(now) {
            write(&String::from_utf8_lossy(&self.line), dropped);
        }
        self.line.clear();
    }
}

/// Says how many lines were lost before the next one, if any were.
pub(super) fn tell_dropped(provider: &ProviderKey, dropped: u64) {
    if dropped > 0 {
        tracing::warn!(target: "cofferdam::provider", %provider, dropped, "lines were dropped");
    }
}

/// Foreign words for people: clipped, and without what deceives.
pub(super) fn words(text: &str) -> String {
    clip(&printable(clip(text))).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(pieces: &[&[u8]]) -> Vec<(String, u64)> {
        let (mut lines, mut out, now) = (Lines::default(), Vec::new(), Instant::now());
        for piece in pieces {
            lines.feed(piece, now, |line, dropped| out.push((printable(line), dropped)));
        }
        lines.finish(now, |line, dropped| out.push((printable(line), dropped)));
        out
    }

    #[test]
    fn lines_are_joined_cut_and_escaped() {
        let line = |text: &str| (text.to_owned(), 0);
        assert_eq!(feed(&[b"one\ntw", b"o\n", b"three"]), [line("one"), line("two"), line("three")]);
        assert_eq!(feed(&[b"\x1b[2J\xff\n"]), [line("\\u{1b}[2J\u{fffd}")]);
        let long = vec![b'x'; 3 * LINE_BYTES_MAX];
        assert_eq!(feed(&[&long, &long, b"\nnext\n"]), [line(&"x".repeat(LINE_BYTES_MAX)), line("next")]);
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let out = feed(&[&b"flood\n".repeat(1_000)]);
        assert_eq!(out.len(), LINES_MAX as usize + 1);
        assert_eq!(out.last(), Some(&("(lines were dropped)".to_owned(), 800)));
    }
}
