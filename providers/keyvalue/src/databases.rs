//! Which databases are open, and how a file is opened: below the state directory that the host hands over, by descriptor,
//! never by a path.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError, Weak};
use std::time::{Duration, Instant};

use cofferdam_provider::{Access, CallError, Host, Level};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError};
use thiserror::Error;

use crate::error::OperationError;
use crate::limits::{CACHE_BYTES, DATABASES_MAX, LOCK_WAIT};
use crate::settings::Place;
use crate::store::Store;

/// Why a database could not be opened: the reason of a refused link, or of a refused call after it had failed.
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
    #[error("the database {name:?} has failed; it is opened again in a second at most, try again then")]
    Failed { name: String },
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
    files: HashMap<String, Weak<Shared>>,
    memory: Vec<Weak<Shared>>,
}

/// A database that links share: opened again when it has failed, for a disk that was full has room again some day.
#[derive(Debug)]
pub(crate) struct Shared {
    host: Host,
    place: Place,
    /// None while a failed one is being opened again, and after that was in vain.
    store: RwLock<Option<Arc<Store>>>,
    /// When it was opened, or that was tried. Held while it is.
    opened: Mutex<Instant>,
}

impl Databases {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, open: Mutex::default() }
    }

    /// The database of a place: the one already open for that name, or a new one. One in memory is always new.
    pub(crate) fn open(&self, place: &Place) -> Result<Arc<Shared>, OpenError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.files.retain(|_, shared| shared.strong_count() > 0);
        open.memory.retain(|shared| shared.strong_count() > 0);
        if let Place::File(name) = place
            && let Some(shared) = open.files.get(name).and_then(Weak::upgrade)
        {
            return Ok(shared);
        }
        if open.files.len() + open.memory.len() >= DATABASES_MAX {
            return Err(OpenError::TooMany);
        }
        let shared = Arc::new(Shared::open(self.host, place.clone())?);
        match place {
            Place::Memory => open.memory.push(Arc::downgrade(&shared)),
            Place::File(name) => drop(open.files.insert(name.clone(), Arc::downgrade(&shared))),
        }
        Ok(shared)
    }
}

impl Shared {
    fn open(host: Host, place: Place) -> Result<Self, OpenError> {
        let store = RwLock::new(Some(open_store(host, &place)?));
        Ok(Self { host, place, store, opened: Mutex::new(Instant::now()) })
    }

    /// Whether reads and writes work.
    pub(crate) fn is_working(&self) -> bool {
        self.present().is_some_and(|store| store.is_writing())
    }

    /// The store. One that has failed is opened again, by one caller at a time and at most once a second.
    pub(crate) fn store(&self) -> Result<Arc<Store>, OpenError> {
        let working = self.present().filter(|store| store.is_writing() || self.place == Place::Memory);
        working.map_or_else(|| self.open_again(), Ok)
    }

    fn present(&self) -> Option<Arc<Store>> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, store: Option<Arc<Store>>) {
        let earlier = std::mem::replace(&mut *self.store.write().unwrap_or_else(PoisonError::into_inner), store);
        // Closing waits for the committer, so not under the lock.
        drop(earlier);
    }

    fn open_again(&self) -> Result<Arc<Store>, OpenError> {
        const PAUSE: Duration = Duration::from_secs(1);
        let mut opened = match self.opened.try_lock() {
            Ok(opened) => opened,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(OpenError::Failed { name: shown(&self.place).into() }),
        };
        // Somebody else may have done it just before.
        if let Some(store) = self.present().filter(|store| store.is_writing()) {
            return Ok(store);
        }
        if opened.elapsed() < PAUSE {
            return Err(OpenError::Failed { name: shown(&self.place).into() });
        }
        // The file is locked until whoever still uses the failed one has had its error.
        self.replace(None);
        let again = open_store(self.host, &self.place);
        *opened = Instant::now();
        let store = again?;
        self.replace(Some(Arc::clone(&store)));
        self.host.log(Level::WARN, &format!("the database {:?} had failed and was opened again", shown(&self.place)));
        Ok(store)
    }
}

fn shown(place: &Place) -> &str {
    match place {
        Place::Memory => "(in memory)",
        Place::File(name) => name,
    }
}

fn open_store(host: Host, place: &Place) -> Result<Arc<Store>, OpenError> {
    let answer_bytes_max = usize::try_from(host.payload_bytes_max()).unwrap_or(usize::MAX);
    let name = || shown(place).to_owned();
    let database = match place {
        Place::Memory => builder()
            .create_with_backend(InMemoryBackend::new())
            .map_err(|source| OpenError::Database { name: name(), source })?,
        Place::File(file) => open_file(host, file)?,
    };
    let store = Store::new(database, answer_bytes_max).map_err(|source| OpenError::Prepare { name: name(), source })?;
    Ok(Arc::new(store))
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
