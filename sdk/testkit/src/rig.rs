//! One provider, driven as the shim drives it.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use cofferdam_provider::__abi::{ABI_VERSION, Call, Exported, Link, ProviderV1, Status, Value};
use tempfile::TempDir;

use crate::actor::{ActorCall, Answer, now_ns};
use crate::host::{Functions, LogLine, Seen, World};
use crate::queue::Queue;
use crate::refused::Refused;
use crate::sink::{collect, slice_of, text};

/// What a rig may be told besides the script.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's payload limit.
    pub payload_bytes_max: usize,
    /// The provider's own directory; `None` is a new one that goes with the rig.
    pub state_dir: Option<PathBuf>,
    /// How long a call may take, unless [`Rig::call_within`] says.
    pub timeout: Duration,
    /// How many queues of completions there may be at once. A host's processes have 16.
    pub queues_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { payload_bytes_max: 16 * 1024 * 1024, state_dir: None, timeout: Duration::from_secs(10), queues_max: 16 }
    }
}

/// A provider that was created, and the host that it sees. Dropping it destroys the provider.
pub struct Rig {
    provider: &'static ProviderV1,
    context: *mut c_void,
    // Shared, so not moved: the provider holds its address until it is destroyed.
    _functions: Arc<Functions>,
    world: Arc<World>,
    _own_state_dir: Option<TempDir>,
    timeout: Duration,
    places: Places,
    next_id: AtomicU64,
}

/// One call to the provider.
struct Asked<'a> {
    actor: &'a str,
    operation: &'a str,
    payload: &'a [u8],
    timeout: Duration,
    cancelled: &'a AtomicU32,
}

// SAFETY: the ABI says that the provider's functions may be called from several threads at once, the rest is `Sync`.
unsafe impl Send for Rig {}
// SAFETY: as above; `create` and `destroy` are called once.
unsafe impl Sync for Rig {}

impl Rig {
    /// Creates a provider whose calls to actors `script` answers.
    pub fn new(
        exported: &'static Exported,
        script: impl Fn(&ActorCall) -> Answer + Send + Sync + 'static,
    ) -> Result<Self, Refused> {
        Self::with(exported, Settings::default(), script)
    }

    /// As [`Rig::new`], with settings.
    pub fn with(
        exported: &'static Exported,
        settings: Settings,
        script: impl Fn(&ActorCall) -> Answer + Send + Sync + 'static,
    ) -> Result<Self, Refused> {
        let provider = &exported.0;
        check_descriptor(provider)?;
        let (own, state_dir) = match settings.state_dir {
            Some(directory) => (None, directory),
            None => {
                let own = TempDir::new().expect("a temporary directory");
                let path = own.path().to_owned();
                (Some(own), path)
            }
        };
        let world = Arc::new(World {
            script: Arc::new(script),
            state_dir,
            payload_bytes_max: settings.payload_bytes_max,
            queues_max: settings.queues_max,
            seen: Mutex::new(Seen::default()),
        });
        let functions = Arc::new(Functions(world.functions()));
        let mut context = std::ptr::null_mut();
        // SAFETY: the descriptor is of our ABI; the host does not move and lives until `destroy` has returned.
        collect(settings.payload_bytes_max, |why| unsafe {
            (provider.create)(&raw const functions.0, &raw mut context, why)
        })?;
        Ok(Self {
            provider,
            context,
            _functions: functions,
            world,
            _own_state_dir: own,
            timeout: settings.timeout,
            places: Places::new(provider.concurrency),
            next_id: AtomicU64::new(1),
        })
    }

    /// Binds a link with these values.
    pub fn bind(&self, actor: &str, values: &[(&str, &str)]) -> Result<(), Refused> {
        let values: Vec<Value> = values
            .iter()
            .map(|(name, value)| Value { name: slice_of(name.as_bytes()), value: slice_of(value.as_bytes()) })
            .collect();
        let link = Link { actor: slice_of(actor.as_bytes()), values: values.as_ptr(), value_count: values.len() };
        // SAFETY: the context is the provider's; link and sink live until it returns.
        self.collect(|why| unsafe { (self.provider.bind)(self.context, &raw const link, why) }).map(drop)
    }

    /// Removes a link.
    pub fn unbind(&self, actor: &str) -> Result<(), Refused> {
        let link = Link { actor: slice_of(actor.as_bytes()), values: std::ptr::null(), value_count: 0 };
        // SAFETY: as for `bind`.
        self.collect(|_| unsafe { (self.provider.unbind)(self.context, &raw const link) }).map(drop)
    }

    /// Grants a file under a name, to be read from now on, in place of what had this name.
    pub fn grant_file(&self, name: &str, contents: &[u8]) {
        self.world.seen().files.insert(name.to_owned(), contents.to_owned());
    }

    /// Takes a file back: it is not opened again.
    pub fn take_file(&self, name: &str) {
        self.world.seen().files.remove(name);
    }

    /// Calls the provider as an actor. Waits while as many calls run as the provider declares.
    pub fn call(&self, actor: &str, operation: &str, payload: &[u8]) -> Answer {
        self.call_within(self.timeout, actor, operation, payload)
    }

    /// As [`Rig::call`], with a deadline. It is told to the provider, not enforced on it.
    pub fn call_within(&self, timeout: Duration, actor: &str, operation: &str, payload: &[u8]) -> Answer {
        self.handle(&Asked { actor, operation, payload, timeout, cancelled: &AtomicU32::new(0) })
    }

    /// As [`Rig::call`], with the caller's flag: set it to 1 and the caller has gone.
    pub fn call_cancellable(&self, cancelled: &AtomicU32, actor: &str, operation: &str, payload: &[u8]) -> Answer {
        self.handle(&Asked { actor, operation, payload, timeout: self.timeout, cancelled })
    }

    fn handle(&self, asked: &Asked<'_>) -> Answer {
        let timeout_ns = u64::try_from(asked.timeout.as_nanos()).unwrap_or(u64::MAX);
        let call = Call {
            size: size_of::<Call>() as u32,
            reserved: 0,
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            actor: slice_of(asked.actor.as_bytes()),
            operation: slice_of(asked.operation.as_bytes()),
            payload: slice_of(asked.payload),
            deadline_ns: now_ns().saturating_add(timeout_ns),
            cancelled: asked.cancelled,
        };
        let _place = self.places.take();
        // SAFETY: the context is the provider's; call and sink live until it returns.
        self.collect(|reply| unsafe { (self.provider.handle)(self.context, &raw const call, reply) })
    }

    /// Asks for the provider's health.
    pub fn health(&self) -> Result<(), Refused> {
        // SAFETY: the context is the provider's, the sink lives until it returns.
        self.collect(|why| unsafe { (self.provider.health)(self.context, why) }).map(drop)
    }

    /// Tells the provider to drain. Blocks until it has, at most as long as the provider keeps its promise.
    pub fn shutdown(&self, within: Duration) -> Result<(), Refused> {
        let deadline_ns = now_ns().saturating_add(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX));
        // SAFETY: the context is the provider's.
        self.collect(|_| unsafe { (self.provider.shutdown)(self.context, deadline_ns) }).map(drop)
    }

    /// The provider's name and version.
    pub fn name(&self) -> &'static str {
        // SAFETY: the ABI says that the name is static, and it was checked when the rig was made.
        unsafe { text(self.provider.name) }.expect("checked to be UTF-8")
    }

    /// Every address that the provider asked to listen on, oldest first, also when it has closed since.
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.world.seen().listening.clone()
    }

    /// What the provider has logged.
    pub fn log(&self) -> Vec<LogLine> {
        self.world.seen().log.clone()
    }

    /// The provider's own directory.
    pub fn state_dir(&self) -> &Path {
        &self.world.state_dir
    }

    /// Calls to actors that the provider began without blocking and that have not ended.
    pub fn actor_calls_in_flight(&self) -> usize {
        self.actor_calls_by_queue().into_iter().sum()
    }

    /// The same by queue, in the order in which the provider made them: so a test sees on which event loop a call is.
    pub fn actor_calls_by_queue(&self) -> Vec<usize> {
        let seen = self.world.seen();
        seen.queues.iter().filter_map(Weak::upgrade).map(|queue: Arc<Queue>| queue.in_flight()).collect()
    }

    fn collect(&self, with: impl FnOnce(*mut cofferdam_provider::__abi::Sink) -> Status) -> Answer {
        collect(self.world.payload_bytes_max, with)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // SAFETY: it is called once, and `&mut self` says that no other function runs.
        unsafe { (self.provider.destroy)(self.context) };
    }
}

/// What the shim checks before it calls anything.
fn check_descriptor(provider: &'static ProviderV1) -> Result<(), Refused> {
    let refuse = |words: &str| Err(Refused::new(Status::INVALID, format!("the provider's descriptor: {words}")));
    if provider.abi_version != ABI_VERSION {
        return refuse("another version of the ABI");
    }
    if (provider.size as usize) < size_of::<ProviderV1>() {
        return refuse("it is shorter than this version's");
    }
    if provider.concurrency == 0 || provider.reserved != 0 {
        return refuse("a concurrency of 0, or something in the reserved field");
    }
    // SAFETY: the ABI says that the name is static.
    unsafe { text(provider.name) }.map(drop)
}

/// As many places as the provider declares.
struct Places {
    free: Mutex<u32>,
    freed: Condvar,
}

struct Place<'a>(&'a Places);

impl Places {
    fn new(count: u32) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    fn take(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
