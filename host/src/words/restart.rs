//! What becomes of a provider whose process has ended: how soon, and how often, it is started again.

use std::time::Duration;

/// How a provider is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Whether it is at all.
    pub restart: Restart,
    /// How many crashes within `window` it takes to be held.
    pub budget: RestartBudget,
    /// See `budget`.
    pub window: Duration,
    /// What calls find while there is no process that takes them.
    pub while_down: WhileDown,
    /// The wait before the second restart in a row; the first comes at once.
    pub first_delay: Duration,
    /// The wait doubles up to this.
    pub delay_max: Duration,
    /// A process that was ready for this long is healthy: the count of restarts in a row begins anew.
    pub healthy_after: Duration,
    /// How long a provider that crashed too often is held before one start is tried. Doubles with each try that fails.
    pub cool_down: Duration,
    /// The most it doubles to.
    pub cool_down_max: Duration,
}

/// When a provider is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// However its process ended.
    #[default]
    Always,
    /// Unless its process ended by itself with exit code 0.
    OnFailure,
    /// Not by itself.
    Never,
}

/// How many crashes within a window of time are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartBudget {
    /// Whoever crashes so often is held.
    Crashes(u32),
    /// Any number.
    None,
}

/// What a call finds while its provider is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhileDown {
    /// An error, at once.
    #[default]
    Fail,
    /// The next process, if it comes by the deadline of the call.
    Wait,
}

impl RestartBudget {
    /// The most that may be counted.
    pub const CRASHES_MAX: u32 = 1000;
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            restart: Restart::default(),
            budget: RestartBudget::Crashes(5),
            window: Duration::from_secs(60),
            while_down: WhileDown::default(),
            first_delay: Duration::from_millis(100),
            delay_max: Duration::from_secs(30),
            healthy_after: Duration::from_secs(30),
            cool_down: Duration::from_secs(60),
            cool_down_max: Duration::from_secs(600),
        }
    }
}
