//! The event loops of the provider, and which of them a connection is given to.
//!
//! All listeners are on the first loop that runs. A connection goes to the loop with the fewest, and stays there: so one that
//! comes when others have gone takes their place, which counting round and round would not do, and with one loop, or while one is
//! enough, nothing is handed over.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cofferdam_provider::{Failure, Host, Level};
use thiserror::Error;

use crate::event_loop::{EventLoop, LoopThread, StartError};

/// The most loops. Each has a mailbox of the host's, of which a provider has so many
/// (`cofferdam_channel::lane::MAILBOXES_MAX`).
const LOOPS_MAX: usize = 16;
/// The variable that says how many loops, if it was granted to the provider.
const VARIABLE: &str = "HTTP_LOOPS";

/// All loops, with their threads. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Loops {
    threads: Vec<LoopThread>,
    spread: Spread,
}

/// All loops, for those who give them connections. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Spread(Arc<[Arc<EventLoop>]>);

/// A connection's place on a loop, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<EventLoop>);

/// Why there are no loops.
#[derive(Debug, Error)]
pub(crate) enum LoopsError {
    #[error("the variable {VARIABLE} is {0:?}: it is a number from 1 to {LOOPS_MAX}; mend the grant of it")]
    Variable(String),
    #[error("no event loop can be started, which takes a thread, a few descriptors and a queue of calls")]
    None(#[source] StartError),
}

/// Why nothing can be served any more.
#[derive(Debug, Error)]
#[error("event loop {0} has ended, and its connections with it; the provider has to be started again")]
pub(crate) struct Ended(usize);

/// How many loops there are: half the processors that this process may use, at least one. The other half is for what
/// every request costs elsewhere: the actors in the host, and on a machine of its own the rest of the system. The variable
/// wins, because a limit on processor time (`limits.cpus`) can't be seen from within.
pub(crate) fn wanted() -> Result<NonZeroUsize, LoopsError> {
    let variable = std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned());
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    number(variable, processors)
}

fn number(variable: Option<String>, processors: usize) -> Result<NonZeroUsize, LoopsError> {
    let Some(text) = variable else {
        return Ok(NonZeroUsize::new((processors / 2).min(LOOPS_MAX)).unwrap_or(NonZeroUsize::MIN));
    };
    match text.parse::<NonZeroUsize>() {
        Ok(number) if number.get() <= LOOPS_MAX => Ok(number),
        _ => Err(LoopsError::Variable(text)),
    }
}

impl Loops {
    /// Starts so many, or as many as can be had: one is enough to serve, and how many there are is logged.
    pub(crate) fn start(host: Host, wanted: NonZeroUsize) -> Result<Self, LoopsError> {
        let (mut loops, mut threads) = (Vec::new(), Vec::new());
        for number in 0..wanted.get() {
            match EventLoop::start(number, host) {
                Ok((event_loop, thread)) => {
                    loops.push(event_loop);
                    threads.push(thread);
                }
                Err(error) if loops.is_empty() => return Err(LoopsError::None(error)),
                Err(error) => {
                    host.log(Level::WARN, &format!("only {number} of {wanted} event loops: {}", Failure::from(error)));
                    break;
                }
            }
        }
        Ok(Self { threads, spread: Spread(loops.into()) })
    }

    pub(crate) fn spread(&self) -> &Spread {
        &self.spread
    }

    /// Whether all of them run.
    pub(crate) fn check(&self) -> Result<(), Ended> {
        let ended = self.spread.0.iter().find(|event_loop| !event_loop.is_running());
        ended.map_or(Ok(()), |event_loop| Err(Ended(event_loop.number())))
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        // All at once, so that none is waited for while another still serves.
        self.threads.iter_mut().for_each(LoopThread::stop);
    }
}

impl Spread {
    /// The loop that listeners are on.
    pub(crate) fn home(&self) -> Result<&Arc<EventLoop>, Ended> {
        self.0.iter().find(|event_loop| event_loop.is_running()).ok_or(Ended(0))
    }

    #[cfg(test)]
    pub(crate) fn get(&self, number: usize) -> &EventLoop {
        &self.0[number]
    }

    /// A place on the loop with the fewest connections, the first of several. None when no loop runs.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let running = self.0.iter().filter(|event_loop| event_loop.is_running());
        let emptiest = running.min_by_key(|event_loop| event_loop.connections().load(Ordering::Relaxed))?;
        emptiest.connections().fetch_add(1, Ordering::Relaxed);
        Some(Seat(Arc::clone(emptiest)))
    }
}

impl Seat {
    pub(crate) fn event_loop(&self) -> &Arc<EventLoop> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections().fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn how_many_loops() {
        let cases = [
            (None, 1, Ok(1)),
            (None, 2, Ok(1)),
            (None, 3, Ok(1)),
            (None, 4, Ok(2)),
            (None, 32, Ok(16)),
            (None, 256, Ok(16)),
            (Some("1"), 32, Ok(1)),
            (Some("16"), 1, Ok(16)),
            (Some("17"), 64, Err("17")),
            (Some("0"), 2, Err("0")),
            (Some(""), 2, Err("")),
            (Some("two"), 2, Err("two")),
        ];
        for (variable, processors, expected) in cases {
            let found =
                number(variable.map(str::to_owned), processors).map(Into::into).map_err(|error| error.to_string());
            let expected = expected.map_err(|text| {
                format!("the variable HTTP_LOOPS is {text:?}: it is a number from 1 to 16; mend the grant of it")
            });
            assert_eq!(found, expected, "{variable:?} on {processors} processors");
        }
    }
}
