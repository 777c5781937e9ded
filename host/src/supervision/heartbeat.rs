//! How a process that neither dies nor works is found. Pure.
//!
//! ```text
//!             due                     fit
//!  Resting ---------> Asked --------------------> Resting, with no failures
//!     ^                 |  complaint, or too late
//!     +-----------------+-----------------------> Resting, with one failure more; the third in a row is too many
//! ```
//! Three things are looked at, and only while the process is to take calls: whether it answers health requests, whether it
//! still has a worker that is not stuck, and whether it takes calls at all. A worker is stuck when the deadline of its call
//! passed long ago. The calls in flight are looked at from time to time, so that no call pays for it.

use std::fmt;
use std::time::Duration;

use crate::words::Deadline;

/// How hung providers are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// From one request to the next.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many failures in a row are too many.
    pub failures_max: u32,
    /// How long after the deadline of its call a worker is stuck. A host takes the time-out of its calls where that is
    /// longer: then a worker is stuck when it has taken twice the time that a call may take, or more.
    pub stuck_after: Duration,
}

/// Why a process counts as hung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sick {
    /// It failed that many health requests in a row.
    Health {
        /// How many.
        failures: u32,
        /// What it complained of the last time; none when it did not answer in time.
        complaint: Option<String>,
    },
    /// Every call that it can run at once is stuck.
    Stuck {
        /// How many those are.
        calls: usize,
        /// How long ago the deadlines passed, at least.
        overdue: Duration,
    },
    /// Calls wait for it, and it takes none.
    Ignoring {
        /// For how long, at least.
        lasted: Duration,
    },
}

/// What the calls of a process look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Burden {
    /// Those that run and whose deadline passed so long ago as was asked.
    pub stuck: usize,
    /// How many can run at once.
    pub at_once: usize,
    /// Some wait, none runs that is not stuck, and none was answered since the last look.
    pub ignored: bool,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing.
    Rest,
    /// Send a request of this number.
    Ask(u64),
    /// It is hung.
    Sick(Sick),
}

/// Watches one process after the other.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    policy: HealthPolicy,
    /// None while nothing is watched.
    watch: Option<Watch>,
    /// Counts on over all processes, and is never used twice.
    last_request: u64,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    /// When it is asked next.
    due: Deadline,
    /// What it was asked and has not answered, and until when it may.
    asked: Option<(u64, Deadline)>,
    failures: u32,
    /// When the calls in flight are looked at next.
    look: Deadline,
    /// Looks in a row that found them ignored.
    ignored: u32,
}

/// Looks at the calls in flight, in the time after which a worker is stuck.
const LOOKS: u32 = 4;

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            failures_max: 3,
            stuck_after: Duration::from_secs(1),
        }
    }
}

impl fmt::Display for Sick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Health { failures, complaint: None } => {
                write!(f, "it failed {failures} health checks in a row, the last for want of an answer")
            }
            Self::Health { failures, complaint: Some(complaint) } => {
                write!(f, "it failed {failures} health checks in a row, the last with: {complaint}")
            }
            Self::Stuck { calls, overdue } => write!(
                f,
                "each of the {calls} calls that it can run at once is stuck, its deadline {overdue:?} ago or longer"
            ),
            Self::Ignoring { lasted } => {
                write!(f, "it takes no calls: at every look for {lasted:?} some waited, and it ran none")
            }
        }
    }
}

impl Heartbeat {
    /// Watches nothing yet.
    pub const fn new(policy: HealthPolicy) -> Self {
        Self { policy, watch: None, last_request: 0 }
    }

    /// A process takes calls from now on.
    pub fn begin(&mut self, now: Deadline) {
        let HealthPolicy { interval, .. } = self.policy;
        let look = now.plus(self.look_interval());
        self.watch = Some(Watch { due: now.plus(interval), asked: None, failures: 0, look, ignored: 0 });
    }

    /// It takes none any more.
    pub fn end(&mut self) {
        self.watch = None;
    }

    /// When [`Heartbeat::beat`] is due.
    pub fn timer(&self) -> Option<Deadline> {
        let Watch { due, asked, look, .. } = self.watch?;
        Some(asked.map_or(due, |(_, until)| until).min(look))
    }

    /// The time of [`Heartbeat::timer`] has come. `burden` looks at the calls, of which those are stuck whose deadline passed so
    /// long ago; it is asked rarely.
    pub fn beat(&mut self, now: Deadline, burden: impl FnOnce(Duration) -> Burden) -> Beat {
        let (policy, look_interval) = (self.policy, self.look_interval());
        let Some(watch) = &mut self.watch else { return Beat::Rest };
        if watch.look <= now {
            watch.look = now.plus(look_interval);
            let Burden { stuck, at_once, ignored } = burden(policy.stuck_after);
            if at_once > 0 && stuck >= at_once {
                return Beat::Sick(Sick::Stuck { calls: stuck, overdue: policy.stuck_after });
            }
            // The first may have seen a call that was asked in that moment.
            watch.ignored = if ignored { watch.ignored + 1 } else { 0 };
            if watch.ignored > LOOKS {
                return Beat::Sick(Sick::Ignoring { lasted: policy.stuck_after });
            }
        }
        match watch.asked {
            Some((_, until)) if until <= now => self.failed(None),
            None if watch.due <= now => {
                self.last_request += 1;
                watch.asked = Some((self.last_request, now.plus(policy.timeout)));
                watch.due = now.plus(policy.interval);
                Beat::Ask(self.last_request)
            }
            _ => Beat::Rest,
        }
    }

    /// The process answered: with a complaint, or none. An error when it answers what nobody asked. An answer that comes
    /// too late is dropped: it was counted as a failure already.
    pub fn answered(&mut self, request: u64, complaint: Option<String>) -> Result<Beat, String> {
        if request == 0 || request > self.last_request {
            return Err(format!("it answered health request {request}, which was never made"));
        }
        match &mut self.watch {
            Some(watch) if watch.asked.is_some_and(|(asked, _)| asked == request) => match complaint {
                Some(complaint) => Ok(self.failed(Some(complaint))),
                None => {
                    (watch.asked, watch.failures) = (None, 0);
                    Ok(Beat::Rest)
                }
            },
            _ => Ok(Beat::Rest),
        }
    }

    fn failed(&mut self, complaint: Option<String>) -> Beat {
        let Some(watch) = &mut self.watch else { return Beat::Rest };
        watch.asked = None;
        watch.failures += 1;
        let failures = watch.failures;
        if failures < self.policy.failures_max { Beat::Rest } else { Beat::Sick(Sick::Health { failures, complaint }) }
    }

    /// Often enough that a hang is found soon after it is one.
    fn look_interval(&self) -> Duration {
        self.policy.stuck_after / LOOKS
    }
}
