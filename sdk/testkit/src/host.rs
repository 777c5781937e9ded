//! The host of a rig: the functions of the ABI over one [`World`].
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fs::File;
use std::io::{Seek, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cofferdam_provider::__abi::{ABI_VERSION, Access, Completions, HostV1, Level, Request, Sink, Slice, Status};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::Refused;
use crate::actor::{ActorCall, Script, play_and_wait, until};
use crate::queue::Queue;
use crate::sink::{bytes, fill, text};

/// One line that the provider logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub text: String,
}

/// What the functions work on.
pub(crate) struct World {
    pub(crate) script: Script,
    pub(crate) state_dir: PathBuf,
    pub(crate) payload_bytes_max: usize,
    pub(crate) queues_max: usize,
    pub(crate) seen: Mutex<Seen>,
}

/// The functions, as the provider is given them.
pub(crate) struct Functions(pub(crate) HostV1);

// SAFETY: the one pointer in it is to a `World`, which is `Sync`.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

/// What the provider did.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) log: Vec<LogLine>,
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) queues: Vec<Weak<Queue>>,
    /// What was granted, by its names.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl World {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The struct that the provider is given; `self` must not move or go before the provider is destroyed.
    pub(crate) fn functions(&self) -> HostV1 {
        HostV1 {
            abi_version: ABI_VERSION,
            size: size_of::<HostV1>() as u32,
            context: std::ptr::from_ref(self).cast_mut().cast(),
            payload_bytes_max: self.payload_bytes_max as u64,
            call,
            completions_create,
            completions_fd,
            call_start,
            call_cancel,
            completions_next,
            completions_destroy,
            listen,
            connect,
            open_dir,
            open_file,
            log,
        }
    }

    /// # Safety
    /// `request` must be live.
    unsafe fn actor_call(&self, request: *const Request) -> Result<ActorCall, Refused> {
        // SAFETY: by the promise above.
        let (request, payload) = unsafe { (&*request, bytes((*request).payload)) };
        if payload.len() > self.payload_bytes_max {
            return Err(Refused::new(Status::INVALID, format!("a payload of {} bytes is too long", payload.len())));
        }
        Ok(ActorCall {
            // SAFETY: by the promise above.
            actor: unsafe { text(request.actor) }?.into(),
            // SAFETY: by the promise above.
            operation: unsafe { text(request.operation) }?.into(),
            payload: payload.into(),
            deadline_ns: request.deadline_ns,
            given_up: Arc::new(AtomicBool::new(false)),
        })
    }
}

/// # Safety
/// `context` must be the one of [`World::functions`].
unsafe fn world<'a>(context: *mut c_void) -> &'a World {
    // SAFETY: by the promise above.
    unsafe { &*context.cast::<World>() }
}

/// # Safety
/// `queue` must be of `completions_create`, and not destroyed.
unsafe fn queue_of<'a>(queue: *const Completions) -> &'a Handle {
    // SAFETY: by the promise above.
    unsafe { &*queue.cast::<Handle>() }
}

/// What a provider holds of a queue.
struct Handle {
    queue: Arc<Queue>,
    world: *const World,
}

/// Writes an outcome: the value to its place, or the words to the sink.
///
/// # Safety
/// The sink must be live.
unsafe fn tell<T>(outcome: Result<T, Refused>, sink: *mut Sink, store: impl FnOnce(T)) -> Status {
    match outcome {
        Ok(value) => {
            store(value);
            Status::OK
        }
        Err(refused) => {
            // SAFETY: by the promise above.
            unsafe { fill(sink, refused.words.as_bytes()) };
            refused.status
        }
    }
}

unsafe extern "C" fn call(context: *mut c_void, request: *const Request, reply: *mut Sink) -> Status {
    // SAFETY: the context is ours, the request and the sink are the provider's and live.
    unsafe {
        let world = world(context);
        let answer = world.actor_call(request).and_then(|call| play_and_wait(&world.script, call));
        tell(answer, reply, |answer| fill(reply, &answer))
    }
}

unsafe extern "C" fn completions_create(context: *mut c_void) -> *mut Completions {
    // SAFETY: the context is ours.
    let world = unsafe { world(context) };
    let mut seen = world.seen();
    seen.queues.retain(|queue| queue.upgrade().is_some_and(|queue| !queue.is_destroyed()));
    if seen.queues.len() >= world.queues_max {
        return std::ptr::null_mut();
    }
    let Ok(queue) = Queue::new() else { return std::ptr::null_mut() };
    seen.queues.push(Arc::downgrade(&queue));
    Box::into_raw(Box::new(Handle { queue, world })).cast()
}

unsafe extern "C" fn completions_fd(queue: *const Completions) -> i32 {
    // SAFETY: the provider passes a live queue.
    unsafe { queue_of(queue) }.queue.fd()
}

unsafe extern "C" fn call_start(
    queue: *mut Completions,
    token: u64,
    request: *const Request,
    why: *mut Sink,
) -> Status {
    // SAFETY: queue, request and sink are live, and the world outlives the queue.
    unsafe {
        let handle = queue_of(queue);
        let world = &*handle.world;
        let started = world.actor_call(request).and_then(|call| handle.queue.start(&world.script, token, call));
        tell(started, why, drop)
    }
}

unsafe extern "C" fn call_cancel(queue: *mut Completions, token: u64) {
    // SAFETY: the provider passes a live queue.
    unsafe { queue_of(queue) }.queue.cancel(token);
}

unsafe extern "C" fn completions_next(
    queue: *mut Completions,
    token: *mut u64,
    status: *mut Status,
    reply: *mut Sink,
) -> u32 {
    // SAFETY: the provider passes a live queue.
    let Some((ended, answer)) = (unsafe { queue_of(queue) }).queue.next() else { return 0 };
    // SAFETY: the places and the sink are live.
    unsafe {
        *token = ended;
        *status = tell(answer, reply, |answer| fill(reply, &answer));
    }
    1
}

unsafe extern "C" fn completions_destroy(queue: *mut Completions) {
    // SAFETY: it is of `completions_create`, and nobody uses it now or later.
    let handle = unsafe { Box::from_raw(queue.cast::<Handle>()) };
    handle.queue.destroy();
}

unsafe extern "C" fn listen(context: *mut c_void, address: Slice, fd: *mut i32, why: *mut Sink) -> Status {
    // SAFETY: the context is ours, the rest is the provider's and live.
    unsafe {
        let world = world(context);
        let listening = text(address).and_then(|address| {
            let listener = TcpListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                Ok((listener.local_addr()?, listener))
            });
            listener.map_err(|error| Refused::new(Status::UNAVAILABLE, format!("listening on {address}: {error}")))
        });
        tell(listening, why, |(address, listener)| {
            world.seen().listening.push(address);
            *fd = listener.into_raw_fd();
        })
    }
}

unsafe extern "C" fn connect(
    _context: *mut c_void,
    address: Slice,
    deadline_ns: u64,
    fd: *mut i32,
    why: *mut Sink,
) -> Status {
    // SAFETY: what is passed is the provider's and live.
    unsafe {
        let connected = text(address).and_then(|address| {
            let refuse = |why: String| Refused::new(Status::UNAVAILABLE, format!("connecting to {address}: {why}"));
            let mut found =
                std::net::ToSocketAddrs::to_socket_addrs(address).map_err(|error| refuse(error.to_string()))?;
            let first = found.next().ok_or_else(|| refuse("the name has no address".into()))?;
            TcpStream::connect_timeout(&first, until(deadline_ns)).map_err(|error| refuse(error.to_string()))
        });
        tell(connected, why, |stream| *fd = stream.into_raw_fd())
    }
}

unsafe extern "C" fn open_dir(
    context: *mut c_void,
    name: Slice,
    _access: Access,
    fd: *mut i32,
    why: *mut Sink,
) -> Status {
    // SAFETY: the context is ours, the rest is the provider's and live.
    unsafe {
        let world = world(context);
        let opened = text(name).and_then(|name| match name {
            "state" => open(&world.state_dir, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(|error| Refused::new(Status::INTERNAL, format!("opening the state directory: {error}"))),
            other => Err(Refused::new(Status::DENIED, format!("no directory is granted under the name {other:?}"))),
        });
        tell(opened, why, |directory| *fd = directory.into_raw_fd())
    }
}

unsafe extern "C" fn open_file(
    context: *mut c_void,
    name: Slice,
    access: Access,
    fd: *mut i32,
    why: *mut Sink,
) -> Status {
    // SAFETY: the context is ours, the rest is the provider's and live.
    unsafe {
        let world = world(context);
        let opened = text(name).and_then(|name| {
            let seen = world.seen();
            let contents = seen.files.get(name).filter(|_| access == Access::READ);
            let none = || Refused::new(Status::DENIED, format!("no file is granted under the name {name:?}"));
            file_of(contents.ok_or_else(none)?)
                .map_err(|error| Refused::new(Status::INTERNAL, format!("opening {name:?}: {error}")))
        });
        tell(opened, why, |file| *fd = file.into_raw_fd())
    }
}

/// A file with these contents, which nobody else has.
fn file_of(contents: &[u8]) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(contents)?;
    file.rewind()?;
    Ok(file)
}

unsafe extern "C" fn log(context: *mut c_void, level: Level, line: Slice) {
    // SAFETY: the context is ours, the slice is the provider's and live.
    let (world, line) = unsafe { (world(context), bytes(line)) };
    world.seen().log.push(LogLine { level, text: String::from_utf8_lossy(line).into() });
}
