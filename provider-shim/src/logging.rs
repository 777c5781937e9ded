//! Lines of log, from any thread of the provider to the host, without ever blocking the one who writes.
//!
//! The thread that sends them is started for the first line, or once the provider has its links: a thread that is made
//! while a library is loaded makes both wait. If there is no room for it any more, lines go to standard error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use cofferdam_channel::control::ControlSender;
use cofferdam_channel::protocol::control::ShimMessage;
use cofferdam_channel::protocol::limits::clip;
use parking_lot::Mutex;

/// Lines that wait to be sent; what is beyond is dropped and counted.
const WAITING_MAX: usize = 256;

/// Where lines go.
pub(crate) struct Log {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
    /// What the thread is started with, until it is.
    to_start: Mutex<Option<(Receiver<Line>, Arc<ControlSender>)>>,
}

/// Its level, and its text.
type Line = (u32, String);

impl Log {
    /// Lines are going to the host by `sender`.
    pub(crate) fn to(sender: Arc<ControlSender>) -> Self {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        Self { lines, dropped: Arc::default(), to_start: Mutex::new(Some((waiting, sender))) }
    }

    /// Starts the thread that sends them, unless it is there.
    pub(crate) fn start(&self) {
        let Some((waiting, sender)) = self.to_start.lock().take() else { return };
        let dropped = self.dropped.clone();
        let send = move || send_lines(&waiting, &dropped, &sender);
        // Without the thread the receiving end is gone.
        let _ = thread::Builder::new().name("log".into()).spawn(send);
    }

    pub(crate) fn log(&self, level: u32, line: &str) {
        self.start();
        match self.lines.try_send((level, clip(line).to_owned())) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Disconnected((_, line))) => eprintln!("{line}"),
        }
    }
}

fn send_lines(waiting: &Receiver<Line>, dropped: &AtomicU64, sender: &ControlSender) {
    while let Ok((level, line)) = waiting.recv() {
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if sender.send(&ShimMessage::Log { level, line, dropped }).is_err() {
            return;
        }
    }
}
