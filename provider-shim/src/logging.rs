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

/// Where they come out.
pub(crate) struct LogLines {
    waiting: Receiver<(u32, String)>,
    dropped: Arc<AtomicU64>,
}

/// Makes both ends.
pub(crate) fn channel() -> (LogSender, LogLines) {
    let ((lines, waiting), dropped) = (sync_channel(WAITING_MAX), Arc::<AtomicU64>::default());
    (LogSender { lines, dropped: dropped.clone() }, LogLines { waiting, dropped })
}

impl LogLines {
    /// Starts the thread that sends them.
    pub(crate) fn send_by(self, sender: Arc<ControlSender>) {
        let dropped = self.dropped.clone();
        let send = move || send_lines(&self.waiting, &self.dropped, &sender);
        if thread::Builder::new().name("log".into()).spawn(send).is_err() {
            // Without the thread every line is dropped and counted: the receiving end is gone.
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LogSender {
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
