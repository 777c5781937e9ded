//! Which databases are open, and how a file is opened: below the state directory that the host hands over, by descriptor,
//! never by a path.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use cofferdam_provider::{Access, CallError, Host};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError};
use thiserror::Error;

use crate::error::OperationError;
use crate::limits::{CACHE_BYTES, DATABASES_MAX, LOCK_WAIT};
use crate::settings::Place;
use crate::store::Store;

/// Why a database could not be opened. The reason of a refused link.
#[derive(Debug, Error)]
pub(crate) enum OpenError {
    #[error("the host gave no state directory: {0}")]
    Directory(#[source] CallError),
    #[error("the file {file} in the state directory could not be opened: {source}")]
    File { file: String, source: std::io::Error },
    #[error(
        "the database {name:?} is in use by another process, still after {} s; \
         is a second host running on the same state directory?",
        LOCK_WAIT.as_secs()
    )]
    Locked { name: String },
    #[error("the database {name:?} could not be opened: {source}")]
    Database { name: String, source: DatabaseError },
    #[error("the database {name:?} could not be prepared: {source}")]
    Prepare { name: String, source: OperationError },
    #[error("{DATABASES_MAX} databases are open already; remove a link first")]
    TooMany,
}

/// The open databases. Links of one name share one.
#[derive(Debug)]
pub(crate) struct Databases {
    host: Host,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// By name.
    files: HashMap<String, Weak<Store>>,
    memory: Vec<Weak<Store>>,
}

impl Databases {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, open: Mutex::default() }
    }

    /// The store of a place: the one already open for that name, or a new one. One in memory is always new.
    pub(crate) fn open(&self, place: &Place) -> Result<Arc<Store>, OpenError> {
        let answer_bytes_max = usize::try_from(self.host.payload_bytes_max()).unwrap_or(usize::MAX);
        let name = match place {
            Place::Memory => "(in memory)",
            Place::File(name) => name.as_str(),
        };
        let prepare = |database| match Store::new(database, answer_bytes_max) {
            Ok(store) => Ok(Arc::new(store)),
            Err(source) => Err(OpenError::Prepare { name: name.into(), source }),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.files.retain(|_, store| store.strong_count() > 0);
        open.memory.retain(|store| store.strong_count() > 0);
        let shared = open.files.get(name).and_then(Weak::upgrade);
        if let (Place::File(_), Some(store)) = (place, shared) {
            return Ok(store);
        }
        if open.files.len() + open.memory.len() >= DATABASES_MAX {
            return Err(OpenError::TooMany);
        }
        if *place == Place::Memory {
            let opened = builder().create_with_backend(InMemoryBackend::new());
            let store = prepare(opened.map_err(|source| OpenError::Database { name: name.into(), source })?)?;
            open.memory.push(Arc::downgrade(&store));
            return Ok(store);
        }
        let store = prepare(open_file(self.host, name)?)?;
        open.files.insert(name.into(), Arc::downgrade(&store));
        Ok(store)
    }
}

/// Opens the file of a database, and waits a bounded time for an earlier process to let go of it.
fn open_file(host: Host, name: &str) -> Result<Database, OpenError> {
    const PAUSE: Duration = Duration::from_millis(10);
    let directory = host.open_dir("state", Access::WRITE).map_err(OpenError::Directory)?;
    let give_up = Instant::now() + LOCK_WAIT;
    loop {
        let file = format!("{name}.redb");
        let opened = open_below(&directory, &file).map_err(|source| OpenError::File { file, source })?;
        let database = FileBackend::new(opened).and_then(|backend| builder().create_with_backend(backend));
        match database {
            Ok(database) => return Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < give_up => {
                #[expect(clippy::disallowed_methods, reason = "a lock of another process tells nobody when it goes")]
                std::thread::sleep(PAUSE);
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(OpenError::Locked { name: name.into() }),
            Err(source) => return Err(OpenError::Database { name: name.into(), source }),
        }
    }
}

/// Opens or makes a file, and makes sure that its name in the directory survives a crash too.
fn open_below(directory: &OwnedFd, file: &str) -> std::io::Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(directory.as_fd(), file, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    // The host's descriptor may be good for looking up only; syncing needs one that is open for reading.
    let itself =
        openat(directory.as_fd(), ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::fsync(itself)?;
    Ok(File::from(opened))
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
