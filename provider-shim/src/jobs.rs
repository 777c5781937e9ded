//! What waits for the provider's own thread, in order.
//!
//! A list that is counted, not an array: room for as many jobs as there may be, touched at the start, would take a start
//! longer than Landlock does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use cofferdam_channel::Deadline;
use cofferdam_channel::protocol::control::Setting;
use cofferdam_channel::protocol::limits::BINDS_MAX;

/// Work for the provider's own thread.
pub(crate) enum Job {
    Bind {
        request: u64,
        actor: String,
        values: Vec<Setting>,
    },
    Unbind {
        request: u64,
        actor: String,
    },
    Drain {
        deadline: Deadline,
    },
    /// The end of a good life.
    End,
}

/// There are too many.
#[derive(Debug)]
pub(crate) struct Full;

/// Where jobs come from: the thread that hears the host.
pub(crate) struct JobSender {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

/// Where they go: the provider's own thread.
pub(crate) struct JobReceiver {
    jobs: Receiver<Job>,
    waiting: Arc<AtomicUsize>,
}

/// Makes an empty one.
pub(crate) fn queue() -> (JobSender, JobReceiver) {
    let ((jobs, received), waiting) = (channel(), Arc::<AtomicUsize>::default());
    (JobSender { jobs, waiting: waiting.clone() }, JobReceiver { jobs: received, waiting })
}

impl JobSender {
    /// Puts one in, if there is room.
    pub(crate) fn send(&self, job: Job) -> Result<(), Full> {
        // Only this end makes it more.
        if self.waiting.load(Ordering::Relaxed) >= BINDS_MAX {
            return Err(Full);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // The other end goes only with this process.
        let _ = self.jobs.send(job);
        Ok(())
    }
}

impl JobReceiver {
    /// Waits for the next.
    pub(crate) fn receive(&self) -> Option<Job> {
        self.jobs.recv().ok().inspect(|_| self.took_one())
    }

    /// The next, if there is one.
    pub(crate) fn poll(&self) -> Option<Job> {
        self.jobs.try_recv().ok().inspect(|_| self.took_one())
    }

    fn took_one(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_wait_as_the_host_may_leave_unanswered() {
        let (sender, receiver) = queue();
        for _ in 0..BINDS_MAX {
            sender.send(Job::End).unwrap();
        }
        sender.send(Job::End).unwrap_err();
        assert!(receiver.receive().is_some());
        sender.send(Job::End).unwrap();
        sender.send(Job::End).unwrap_err();
    }
}
