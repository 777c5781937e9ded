//! How far a transfer is, on a terminal. Programs and files get none of it.

use std::io::{IsTerminal as _, stderr};
use std::sync::Arc;
use std::time::Duration;

use cofferdam_registry::{Progress, Silent};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Output, OutputFormat, plain};

const SHAPE: &str = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec} {msg}";

/// A bar on standard error, which goes when the transfer has ended.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// One where somebody looks.
    pub(super) fn shared(output: &Output) -> Arc<dyn Progress> {
        if output.format != OutputFormat::Text || !stderr().is_terminal() {
            return Arc::new(Silent);
        }
        let style = ProgressStyle::with_template(SHAPE).expect("the shape is a good one");
        Arc::new(Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)))
    }
}

impl Progress for Bar {
    fn begins(&self, total_bytes: u64) {
        self.0.set_length(total_bytes);
        self.0.set_message("");
    }

    fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    fn again(&self, why: &str, _pause: Duration) {
        self.0.set_message(format!("again: {}", plain(why)));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
