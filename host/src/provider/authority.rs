//! What one provider may have of the world at this moment: the rule of [`crate::grants`], the links that are bound right
//! now, and what its process has been handed. Outlives restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Settings;
use super::handed::Handed;
use crate::grants::{Act, Allowance, Denial};
use crate::words::{Address, AuditEvent, Auditor, Brief, Cover, ProviderKey};

/// The authority of one provider. Clones are one.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    key: ProviderKey,
    allowance: Allowance,
    /// The environment, with its values.
    env: Vec<(String, String)>,
    auditor: Arc<dyn Auditor>,
    links: Mutex<BTreeMap<String, Settings>>,
    /// What the present process has been handed.
    present: Mutex<Option<Arc<Handed>>>,
}

impl Authority {
    /// The authority of a provider that has no link yet. The values of its environment have been looked up.
    pub fn new(key: ProviderKey, allowance: Allowance, env: Vec<(String, String)>, auditor: Arc<dyn Auditor>) -> Self {
        let (links, present) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { key, allowance, env, auditor, links, present }) }
    }

    /// The rule.
    pub fn allowance(&self) -> &Allowance {
        &self.inner.allowance
    }

    /// Where its present process listens, by the kernel's word.
    pub fn listeners(&self) -> Vec<String> {
        self.inner.present.lock().as_ref().map(|handed| handed.listeners()).unwrap_or_default()
    }

    pub(super) fn key(&self) -> &ProviderKey {
        &self.inner.key
    }

    pub(super) fn env(&self) -> &[(String, String)] {
        &self.inner.env
    }

    pub(super) fn auditor(&self) -> &dyn Auditor {
        &*self.inner.auditor
    }

    /// The names that events of the audit log are about.
    pub(super) fn subject(&self) -> (Brief, Brief) {
        (Brief::from(&self.inner.key.id), Brief::from(&self.inner.key.link_name))
    }

    /// A link is bound, or is about to be: its values count from now on.
    pub(super) fn bind(&self, actor: &str, settings: &Settings) {
        self.inner.links.lock().insert(actor.to_owned(), settings.clone());
    }

    /// A link is gone, and what it gave with it.
    pub(super) fn unbind(&self, actor: &str) {
        self.inner.links.lock().remove(actor);
    }

    /// Whether an address may be listened on or connected to now.
    pub(super) fn address(&self, act: Act, asked: &Address) -> Result<Cover, Denial> {
        let links: Vec<Settings> = self.inner.links.lock().values().cloned().collect();
        self.inner.allowance.address(act, asked, links.iter().map(|settings| &**settings))
    }

    /// A new process. What it is handed with its start is in the audit log from here on, the rest when it asks.
    pub(super) fn begin(&self) -> Arc<Handed> {
        let Inner { allowance, .. } = &*self.inner;
        let dirs = allowance.dirs().iter().map(|dir| ("dir", format!("{}, {}", dir.name, dir.access.word())));
        let env = allowance.env().iter().map(|variable| ("env", variable.name.clone()));
        let network = allowance
            .network()
            .map(|network| ("network", format!("bind {:?}, connect {:?}", network.bind, network.connect)));
        for (want, subject) in dirs.chain(env).chain(network) {
            let (provider, link) = self.subject();
            let (want, subject, count) = (Brief::from(want), Brief::from(subject), 1);
            self.auditor().record(AuditEvent::Granted { provider, link, want, subject, count });
        }
        let handed = Arc::new(Handed::default());
        *self.inner.present.lock() = Some(handed.clone());
        handed
    }
}
