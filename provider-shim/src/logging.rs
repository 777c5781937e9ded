//! Lines of log, from any thread of the provider to the host, without ever blocking the one who writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use cofferdam_channel::control::ControlSender;
use cofferdam_channel::protocol::control::ShimMessage;
use cofferdam_channel::protocol::limits::clip;

/// Lines that wait to be sent; what is beyond is dropped and counted.
const WAITING_MAX: usize = 256;

/// Where lines go.
pub(crate) struct LogSender {
    lines: SyncSender<(u32, String)>,
    dropped: Arc<AtomicU64>,
}

impl LogSender {
    /// Starts the thread that sends them.
    pub(crate) fn start(sender: Arc<ControlSender>) -> Self {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = dropped.clone();
        let started = thread::Builder::new().name("log".into()).spawn(move || send_lines(&waiting, &counted, &sender));
        if started.is_err() {
            // Without the thread every line is dropped and counted: the receiving end is gone.
            dropped.fetch_add(1, Ordering::Relaxed);
        }
        Self { lines, dropped }
    }

    pub(crate) fn log(&self, level: u32, line: &str) {
        if self.lines.try_send((level, clip(line).to_owned())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn send_lines(waiting: &Receiver<(u32, String)>, dropped: &AtomicU64, sender: &ControlSender) {
    while let Ok((level, line)) = waiting.recv() {
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if sender.send(&ShimMessage::Log { level, line, dropped }).is_err() {
            return;
        }
    }
}
