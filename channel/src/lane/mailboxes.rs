//! The asking end for event loops: calls whose callers must not block. The callee puts word of an answer into the mailbox
//! of the loop, and wakes the loop if it sleeps.
//!
//! A loop that has taken all there is says that it sleeps, and is woken by a byte in a socket of the callee's. What this side
//! has to tell the loop itself (its turn for a lane, a deadline, the end) comes by an event of its own; both lie behind one
//! descriptor.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::client::LaneClient;
use super::layout::MAILBOXES_MAX;
use super::mailbox::Mailbox;
use super::post::Post;
use crate::alarm::Alarm;
use crate::{Client, Completions, LoopClient};

/// Opens a mailbox, by its number: the end of a socket that the callee writes to.
pub type OpenMailbox = Box<dyn Fn(u32) -> io::Result<OwnedFd> + Send + Sync>;

/// A client for event loops as well as for threads.
pub struct LaneLoopClient {
    shared: Arc<Shared>,
}

/// What all loops of one client share.
pub(super) struct Shared {
    pub(super) client: LaneClient,
    open: OpenMailbox,
    posts: Mutex<Posts>,
    alarm: Mutex<Option<Arc<Alarm>>>,
}

#[derive(Default)]
struct Posts {
    /// So many were asked for.
    opened: usize,
    /// Those that were, and whose loops have gone: nobody can open them again.
    free: Vec<Post>,
    /// Whoever is to be told of a deadline or the end.
    used: Vec<Weak<Mailbox>>,
}

impl LaneLoopClient {
    /// Makes both uses of one client possible.
    pub fn new(client: LaneClient, open: OpenMailbox) -> Self {
        let shared = Shared { client, open, posts: Mutex::default(), alarm: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }
}

impl LoopClient for LaneLoopClient {
    fn blocking(&self) -> &dyn Client {
        &*self.shared
    }

    fn completions(&self) -> io::Result<Box<dyn Completions>> {
        let alarm = Shared::alarm(&self.shared)?;
        let mailbox = Arc::new(Mailbox::new(self.shared.clone(), self.shared.post()?, alarm));
        let mut posts = self.shared.posts.lock();
        posts.used.retain(|other| other.strong_count() > 0);
        posts.used.push(Arc::downgrade(&mailbox));
        Ok(Box::new(super::mailbox::Owned(mailbox)))
    }
}

impl Shared {
    /// The thread that tells loops of deadlines. It begins with the first loop, and sleeps while no call has one.
    fn alarm(this: &Arc<Self>) -> io::Result<Arc<Alarm>> {
        let mut alarm = this.alarm.lock();
        if let Some(alarm) = &*alarm {
            return Ok(alarm.clone());
        }
        let shared = Arc::downgrade(this);
        let ring = move || shared.upgrade().into_iter().for_each(|shared| shared.tell_all());
        Ok(alarm.insert(Arc::new(Alarm::start("calls-alarm", ring)?)).clone())
    }

    /// One that is free, or a new one. Asking for it takes its time, in which others go on. A number that was asked for in
    /// vain is not asked for again: it may be open all the same.
    fn post(&self) -> io::Result<Post> {
        let number = {
            let mut posts = self.posts.lock();
            if let Some(free) = posts.free.pop() {
                return Ok(free);
            }
            if posts.opened == MAILBOXES_MAX {
                return Err(io::Error::other(format!("there are {MAILBOXES_MAX} queues of completions already")));
            }
            posts.opened += 1;
            posts.opened - 1
        };
        Post::new(number, (self.open)(number as u32)?)
    }

    fn tell_all(&self) {
        let used = self.posts.lock().used.clone();
        used.iter().filter_map(Weak::upgrade).for_each(|mailbox| mailbox.tell());
    }

    /// A loop has gone.
    pub(super) fn give_back(&self, post: Post) {
        self.posts.lock().free.push(post);
    }
}

/// For threads; its end is told to loops, too.
impl Client for Shared {
    fn call(&self, call: &crate::Outgoing<'_>, answer: &mut Vec<u8>) -> Result<(), crate::CallFailure> {
        self.client.call(call, answer)
    }

    fn close(&self, cause: &str) {
        self.client.close(cause);
        self.tell_all();
    }

    fn distrust(&self) {
        self.client.distrust();
    }

    fn in_flight(&self) -> usize {
        self.client.in_flight()
    }

    fn overdue(&self, moment: crate::Deadline) -> (usize, usize) {
        self.client.overdue(moment)
    }

    fn is_ignored(&self, moment: crate::Deadline) -> bool {
        self.client.is_ignored(moment)
    }

    fn give_back(&self) {
        self.client.give_back();
    }
}
