//! Owning the socket's path: one host at a time, whatever the others do.
//!
//! The lock on `PATH.lock` decides. It is the kernel's, so a dead host holds none, and who holds it may remove a socket
//! that nobody listens on. The lock file is removed while it is held; whoever locked the removed file sees that it is
//! another one and starts again. What is no socket is never removed, nor is a socket that answers.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio::net::UnixStream;

use crate::control::client::Client;
use crate::control::error::ServerError;

/// `sockaddr_un` has 108 bytes, one of them the final zero.
const PATH_BYTES_MAX: usize = 107;
/// How long a live host has to say who it is.
const WHO_PATIENCE: Duration = Duration::from_secs(2);
/// How often another host may take the lock and leave between our steps.
const LOCK_ATTEMPTS_MAX: u32 = 16;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// The right to the path. Dropping it removes the socket and the lock's file.
pub(super) struct Place {
    socket: PathBuf,
    lock: PathBuf,
    _held: Flock<File>,
}

impl Place {
    /// Takes the path and listens on it.
    pub(super) async fn take(socket: &Path) -> Result<(Self, Listener), ServerError> {
        if socket.as_os_str().as_bytes().len() > PATH_BYTES_MAX {
            return Err(ServerError::PathTooLong { path: socket.to_owned(), bytes_max: PATH_BYTES_MAX });
        }
        prepare_folder(socket)?;
        let mut lock = socket.to_owned().into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        let Some(held) = try_lock(&lock)? else {
            return Err(taken(socket).await);
        };
        let place = Self { socket: socket.to_owned(), lock, _held: held };
        if let Err(error) = remove_stale(socket).await {
            // What lies there is not ours to remove.
            place.leave_socket();
            return Err(match error {
                Stale::Answers => taken(socket).await,
                Stale::NotASocket => ServerError::NotASocket { path: socket.to_owned() },
                Stale::System(source) => system("replace the socket", socket)(source),
            });
        }
        let listener = listen(socket).map_err(system("listen on", socket))?;
        Ok((place, listener))
    }

    fn leave_socket(mut self) {
        self.socket = PathBuf::new();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is found stale by the next host.
        if !self.socket.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.socket);
        }
        let _ = fs::remove_file(&self.lock);
    }
}

enum Stale {
    Answers,
    NotASocket,
    System(io::Error),
}

fn listen(socket: &Path) -> io::Result<Listener> {
    // The mode is set before the name exists. The name is ours to remove, in `Place`.
    let name = socket.to_fs_name::<GenericFilePath>()?;
    ListenerOptions::new().name(name).mode(0o600).reclaim_name(false).create_tokio()
}

/// Makes the folder for its owner alone, or checks that nobody else could replace the socket in it.
fn prepare_folder(socket: &Path) -> Result<(), ServerError> {
    let folder = match socket.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(system("make the folder", folder))?;
    let metadata = fs::metadata(folder).map_err(system("look at the folder", folder))?;
    let unsafe_for = |why: String| Err(ServerError::UnsafeFolder { folder: folder.to_owned(), why });
    if ![0, nix::unistd::geteuid().as_raw()].contains(&metadata.uid()) {
        return unsafe_for(format!("it belongs to user {}", metadata.uid()));
    }
    if metadata.mode() & OTHERS_WRITE != 0 && metadata.mode() & STICKY == 0 {
        return unsafe_for(format!("others can write to it (mode {:o})", metadata.mode() & 0o7777));
    }
    Ok(())
}

/// The lock, or `None` when another host has it.
fn try_lock(path: &Path) -> Result<Option<Flock<File>>, ServerError> {
    for _ in 0..LOCK_ATTEMPTS_MAX {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let file = options.open(path).map_err(system("open the lock", path))?;
        let held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(system("lock", path)(errno.into())),
        };
        let ours = held.metadata().map_err(system("look at the lock", path))?;
        // Its last owner may have removed it after we opened it; then the lock is on nothing.
        match fs::symlink_metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => return Ok(Some(held)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(system("look at the lock", path)(error)),
        }
    }
    Ok(None)
}

/// Removes the socket of a host that is dead. The lock must be held.
async fn remove_stale(socket: &Path) -> Result<(), Stale> {
    match fs::symlink_metadata(socket) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Stale::System(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(Stale::NotASocket),
        Ok(_) => {}
    }
    // It does not block: where a listener's queue is full, it is told so at once.
    match UnixStream::connect(socket).await {
        Ok(_) => Err(Stale::Answers),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Stale::Answers),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(socket).map_err(Stale::System)
        }
        Err(error) => Err(Stale::System(error)),
    }
}

/// Asks the host that has the path who it is.
async fn taken(socket: &Path) -> ServerError {
    let ask = async {
        let mut client = Client::connect(socket).await.ok()?;
        let asked = tokio::time::timeout(WHO_PATIENCE / 2, client.ps()).await;
        // A host too busy to answer still has a process.
        asked.ok().and_then(Result::ok).map(|report| report.pid).or(client.server_pid())
    };
    let pid = tokio::time::timeout(WHO_PATIENCE, ask).await.ok().flatten();
    ServerError::Taken { path: socket.to_owned(), pid }
}

fn system<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ServerError + 'a {
    move |source| ServerError::System { act, path: path.to_owned(), source }
}
