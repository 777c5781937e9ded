//! The last lines of one process of a provider, for the case that it dies. Lines come here printable and without the
//! values of its links.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::crash::{Line, Output};

/// Lines that are kept.
const LINES_MAX: usize = 50;
/// What is kept of each.
const LINE_BYTES_MAX: usize = 1 << 10;
/// How long the rest of what a process wrote may take to be read after its end: it lies in the pipes already.
const READ_TIMEOUT: Duration = Duration::from_millis(250);

/// Keeps them; clones share them.
#[derive(Clone, Default)]
pub(super) struct Tail {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Default)]
struct Lines {
    last: VecDeque<Line>,
    earlier: u64,
    /// Whoever reads its streams.
    readers: Vec<JoinHandle<()>>,
}

impl Tail {
    /// A line came, and some were lost before it.
    pub(super) fn push(&self, stream: &str, line: &str, lost: u64) {
        let text = line[..line.floor_char_boundary(LINE_BYTES_MAX)].to_owned();
        let mut lines = self.lines.lock();
        lines.earlier += lost;
        if lines.last.len() == LINES_MAX {
            lines.last.pop_front();
            lines.earlier += 1;
        }
        lines.last.push_back(Line { stream: stream.to_owned(), text });
    }

    /// Somebody reads one of its streams.
    pub(super) fn read_by(&self, reader: JoinHandle<()>) {
        self.lines.lock().readers.push(reader);
    }

    /// Waits until its streams were read to their end, and takes all that was kept.
    pub(super) async fn whole(&self) -> Output {
        let readers = std::mem::take(&mut self.lines.lock().readers);
        let read = async {
            for reader in readers {
                // Whoever panicked is in the log.
                let _ = reader.await;
            }
        };
        let _ = tokio::time::timeout(READ_TIMEOUT, read).await;
        self.take()
    }

    fn take(&self) -> Output {
        let Lines { last, earlier, readers: _ } = std::mem::take(&mut *self.lines.lock());
        Output { lines: last.into(), earlier }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_stay_and_the_others_are_counted() {
        let tail = Tail::default();
        for number in 0..LINES_MAX + 5 {
            tail.push("stdout", &number.to_string(), u64::from(number == 3));
        }
        let output = tail.clone().take();
        assert_eq!((output.lines.len(), output.earlier), (LINES_MAX, 6));
        assert_eq!(output.lines[0].text, "5");
        assert_eq!(tail.take(), Output::default());
        tail.push("log", &"ä".repeat(LINE_BYTES_MAX), 0);
        assert_eq!(tail.take().lines[0].text.len(), LINE_BYTES_MAX);
    }
}
