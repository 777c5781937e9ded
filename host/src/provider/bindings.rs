//! The links of one provider: which are bound, which answers its process owes, and who waits for them. Pure bookkeeping:
//! it makes messages, and whoever owns it sends them.
//!
//! Links outlive processes: each process is told of all of them again.

use std::collections::{BTreeMap, HashMap};

use cofferdam_channel::protocol::control::{HostMessage, Setting};
use cofferdam_channel::protocol::limits::BINDS_MAX;
use tokio::sync::oneshot;

use super::authority::Authority;
use super::hidden::Hidden;
use super::output;
use super::{BindError, Binding, Settings};
use crate::words::ProviderKey;

/// Actors that are linked to one provider.
pub(super) const LINKS_MAX: usize = 4000;

/// Answers that a process owes before it is told of another link: so many that it may be told of all at once.
const AWAITED_MAX: usize = LINKS_MAX;

/// Each link that it was told of may be taken from it besides.
const _: () = assert!(AWAITED_MAX + LINKS_MAX < BINDS_MAX);

/// Values that are hidden before those of links that are gone are forgotten, which their process may still know.
const HIDDEN_MAX: usize = 1 << 16;

/// Told once what somebody waits for.
pub(super) type Done<T> = oneshot::Sender<T>;

/// The links of one provider, by actor.
pub(super) struct Bindings {
    provider: ProviderKey,
    links: BTreeMap<String, BoundLink>,
    /// What the present process owes an answer to, by request.
    awaited: HashMap<u64, Awaited>,
    last_request: u64,
    /// What those who wait for a link are going to be told.
    answers: Vec<(Done<Bound>, Bound)>,
    hidden: Hidden,
    /// Told which links there are: what they give follows from them.
    authority: Authority,
}

struct BoundLink {
    settings: Settings,
    binding: Binding,
    waiter: Option<Done<Bound>>,
}

/// What became of a bind.
type Bound = Result<(), BindError>;

enum Awaited {
    Bind(String),
    Unbind(Done<()>),
}

impl Bindings {
    /// The links that the first process is going to be told of. Their values are hidden in `hidden` from now on.
    pub(super) fn new(links: Vec<(String, Settings)>, hidden: Hidden, authority: Authority) -> Self {
        let unbound = |settings| BoundLink { settings, binding: Binding::Pending, waiter: None };
        for (actor, settings) in &links {
            hidden.hide(settings);
            authority.bind(actor, settings);
        }
        let links = links.into_iter().map(|(actor, settings)| (actor, unbound(settings))).collect();
        let provider = authority.key().clone();
        Self { provider, links, awaited: HashMap::new(), last_request: 0, answers: Vec::new(), hidden, authority }
    }

    /// Takes a link in, or the new settings of one, for a process that comes when the provider is released.
    pub(super) fn set_for_later(&mut self, actor: String, settings: Settings, done: Done<Result<(), BindError>>) {
        if self.set(actor, settings, done) {
            self.held();
        }
    }

    /// There is no process and none comes by itself: whoever waits for an answer is told so.
    pub(super) fn held(&mut self) {
        for (actor, link) in &mut self.links {
            if let Some(waiter) = link.waiter.take() {
                let error = BindError::Held { provider: self.provider.clone(), actor: actor.clone() };
                let _ = waiter.send(Err(error));
            }
        }
    }

    /// Takes a link in, or the new settings of one. The process is not told by this: [`Bindings::tell`] does.
    pub(super) fn set(&mut self, actor: String, settings: Settings, done: Done<Result<(), BindError>>) -> bool {
        if self.links.len() >= LINKS_MAX && !self.links.contains_key(&actor) {
            let error = BindError::TooMany { provider: self.provider.clone(), actor, limit: LINKS_MAX };
            let _ = done.send(Err(error));
            return false;
        }
        if self.awaited.len() >= AWAITED_MAX {
            let _ = done.send(Err(BindError::Overloaded { provider: self.provider.clone(), actor }));
            return false;
        }
        self.hidden.hide(&settings);
        self.authority.bind(&actor, &settings);
        let link = BoundLink { settings, binding: Binding::Pending, waiter: Some(done) };
        self.links.insert(actor, link);
        if self.hidden.count() > HIDDEN_MAX {
            self.process_begins();
        }
        true
    }

    /// Takes a link out. The process is not told by this: [`Bindings::tell_gone`] does.
    pub(super) fn remove(&mut self, actor: &str) {
        self.links.remove(actor);
        self.authority.unbind(actor);
    }

    /// All actors that are linked.
    pub(super) fn actors(&self) -> Vec<String> {
        self.links.keys().cloned().collect()
    }

    /// The frame that tells the process of a link. None if there is no such link, or if it can't be told, which rejects it:
    /// one link that can't be told is no reason to end a provider that others use.
    pub(super) fn tell(&mut self, actor: &str) -> Option<Vec<u8>> {
        let link = self.links.get(actor)?;
        let setting = |(name, value): (&String, &String)| Setting { name: name.clone(), value: value.clone() };
        let values = link.settings.iter().map(setting).collect();
        let request = self.next_request();
        match (HostMessage::Bind { request, actor: actor.to_owned(), values }).to_frame() {
            Ok(frame) => {
                self.awaited.insert(request, Awaited::Bind(actor.to_owned()));
                Some(frame)
            }
            Err(why) => {
                self.settle(actor, Some(why.to_string()), None);
                None
            }
        }
    }

    /// The message that tells the process that a link is gone.
    pub(super) fn tell_gone(&mut self, actor: String, done: Done<()>) -> HostMessage {
        let request = self.next_request();
        self.awaited.insert(request, Awaited::Unbind(done));
        HostMessage::Unbind { request, actor }
    }

    /// The process answered a bind; `denied` is what it had asked for and did not get. An error says what it did wrong.
    pub(super) fn bound(
        &mut self,
        request: u64,
        rejection: Option<String>,
        denied: Option<String>,
    ) -> Result<(), String> {
        let Some(Awaited::Bind(actor)) = self.awaited.remove(&request) else {
            return Err(format!("it answered bind {request}, which is not awaited"));
        };
        // A later bind of the same actor supersedes this one.
        let superseded =
            self.awaited.values().any(|awaited| matches!(awaited, Awaited::Bind(other) if *other == actor));
        if !superseded {
            self.settle(&actor, rejection, denied);
        }
        Ok(())
    }

    /// The process answered an unbind. An error says what it did wrong.
    pub(super) fn unbound(&mut self, request: u64) -> Result<(), String> {
        let Some(Awaited::Unbind(done)) = self.awaited.remove(&request) else {
            return Err(format!("it answered unbind {request}, which is not awaited"));
        };
        let _ = done.send(());
        Ok(())
    }

    /// Whether a link waits for its answer.
    pub(super) fn any_pending(&self) -> bool {
        self.links.values().any(|link| link.binding == Binding::Pending)
    }

    /// The process is gone, and the next one knows nothing. Those who wait for an unbind are content: the process that knew
    /// the link is gone.
    pub(super) fn process_ended(&mut self) {
        self.awaited.clear();
        for link in self.links.values_mut() {
            link.binding = Binding::Pending;
        }
    }

    /// A process is going to be told of the present links: what it learns from now on is hidden as long as it lives.
    pub(super) fn process_begins(&self) {
        self.hidden.begin(self.links.values().map(|link| &link.settings));
    }

    /// What became of each link, for people.
    pub(super) fn report(&self) -> BTreeMap<String, Binding> {
        self.links.iter().map(|(actor, link)| (actor.clone(), link.binding.clone())).collect()
    }

    /// Notes what became of a link, for whoever waits for it, too.
    fn settle(&mut self, actor: &str, rejection: Option<String>, denied: Option<String>) {
        let Some(link) = self.links.get_mut(actor) else { return };
        let rejection = rejection.map(|reason| {
            let reason = output::words(&self.hidden.taken_out_of(&reason));
            // The host's own words: addresses that were asked for are shown in them.
            denied.map_or(reason.clone(), |denied| format!("{reason}; {denied}"))
        });
        let waiter = link.waiter.take();
        link.binding = rejection.clone().map_or(Binding::Accepted, Binding::Rejected);
        let answer = match rejection {
            None => Ok(()),
            Some(reason) => {
                let (provider, actor) = (self.provider.clone(), actor.to_owned());
                tracing::warn!(%provider, %actor, %reason, "link rejected");
                Err(BindError::Rejected { provider, actor, reason })
            }
        };
        self.answers.extend(waiter.map(|waiter| (waiter, answer)));
    }

    /// Answers those who wait. What they look at next is to be published already.
    pub(super) fn answer(&mut self) {
        for (waiter, answer) in self.answers.drain(..) {
            let _ = waiter.send(answer);
        }
    }

    fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Forgetful;

    fn authority() -> Authority {
        let key = ProviderKey { id: "V".to_owned(), link_name: "default".to_owned() };
        Authority::new(key, Default::default(), Vec::new(), std::sync::Arc::new(Forgetful))
    }

    /// What the process was told before it was loaded is hidden as long as it lives, and as long as lines of it may come.
    #[test]
    fn what_a_process_was_told_stays_hidden() {
        let settings = |value: &str| Settings::new(BTreeMap::from([("PASSWORD".to_owned(), value.to_owned())]));
        let hidden = Hidden::default();
        let links = vec![("M".to_owned(), settings("hunter2"))];
        let mut bindings = Bindings::new(links, hidden.clone(), authority());
        let shown = |expected: &str| assert_eq!(hidden.taken_out_of("hunter2 hunter3 hunter4"), expected);
        bindings.process_begins();
        bindings.tell("M").expect("it can be told");
        assert!(bindings.set("M".to_owned(), settings("hunter3"), oneshot::channel().0));
        shown("… … hunter4");
        bindings.process_ended();
        bindings.process_begins();
        shown("… … hunter4");
        assert!(bindings.set("M".to_owned(), settings("hunter4"), oneshot::channel().0));
        bindings.process_ended();
        bindings.process_begins();
        shown("hunter2 … …");
    }

    /// Sets a link and takes it out, again and again, of a process that answers nothing.
    #[test]
    fn a_process_that_does_not_answer_is_told_of_no_more_than_it_may_keep() {
        let mut bindings = Bindings::new(Vec::new(), Hidden::default(), authority());
        let mut refused = 0;
        for round in 0..3 * LINKS_MAX {
            let actor = format!("M{}", round % LINKS_MAX);
            let (done, mut said) = oneshot::channel();
            if bindings.set(actor.clone(), Settings::default(), done) {
                bindings.tell(&actor).expect("it can be told");
            } else {
                assert!(matches!(said.try_recv(), Ok(Err(BindError::Overloaded { .. }))));
                refused += 1;
            }
            if round >= LINKS_MAX && bindings.links.contains_key(&actor) {
                bindings.remove(&actor);
                bindings.tell_gone(actor, oneshot::channel().0);
            }
        }
        assert_eq!((bindings.awaited.len(), refused), (AWAITED_MAX + LINKS_MAX, 2 * LINKS_MAX));
        assert!(bindings.awaited.len() < BINDS_MAX);
    }
}
