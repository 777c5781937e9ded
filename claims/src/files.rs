//! Opening files and nothing else, and putting one in place in one step: readers see the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// What is there is a pipe or a device: reading it could take for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is a pipe or a device, and only files are read")]
pub struct NotAFile;

/// Opens a file to read it. A directory is an error at once, and what is no file is [`NotAFile`]; neither is waited for.
pub fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Opening a pipe would wait for its writer. On a file it means nothing.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = match options.open(path) {
        // A socket, or a device that nobody drives.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Err(not_a_file()),
        other => other?,
    };
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind if kind.is_dir() => Err(io::Error::from_raw_os_error(libc::EISDIR)),
        _ => Err(not_a_file()),
    }
}

/// Whether the error of [`open_file`] says [`NotAFile`].
pub fn is_not_a_file(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NotAFile>())
}

/// Writes a new file that only its owner can read, in one step: it is there as a whole, or not at all. What is there
/// already is never replaced.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    let folder = folder_of(path);
    // So that the error is the system's own.
    fs::metadata(folder)?;
    put_new(folder, path, bytes).map_err(without_path)
}

fn put_new(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = tempfile::Builder::new();
    #[cfg(unix)]
    options.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    written(options.prefix(PREFIX).tempfile_in(folder)?, bytes)?.persist_noclobber(path)?;
    // A name that a power cut takes back would leave an identity behind that nobody has any more.
    File::open(folder)?.sync_all().inspect_err(|_| drop(fs::remove_file(path)))
}

/// The names of files that are being written begin so.
const PREFIX: &str = ".cofferdam-";

/// Writes beside the path, then renames over it. What is there and is no file (a pipe, a device such as `/dev/stdout`) is
/// written to and never replaced.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => return write_into(OpenOptions::new().write(true).open(path)?, bytes),
        _ => {}
    }
    put_in_place(folder_of(path), path, bytes).map_err(without_path)
}

fn write_into(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

fn put_in_place(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = tempfile::Builder::new();
    #[cfg(unix)]
    options.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    written(options.prefix(PREFIX).tempfile_in(folder)?, bytes)?.persist(path)?;
    Ok(())
}

/// The file with all of the bytes on the disk. It is removed where that fails.
fn written(mut file: NamedTempFile, bytes: &[u8]) -> io::Result<NamedTempFile> {
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, NotAFile)
}

/// tempfile adds the name of its own file, which says nothing to anybody.
fn without_path(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() { error } else { error.kind().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let [file, pipe, socket, missing] = ["file", "pipe", "socket", "missing"].map(|name| folder.path().join(name));
        fs::write(&file, b"x").expect("it can be written");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        let _socket = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        let cases = [
            (&*file, Ok(())),
            (&*pipe, Err((ErrorKind::InvalidInput, true))),
            (&*socket, Err((ErrorKind::InvalidInput, true))),
            (Path::new("/dev/zero"), Err((ErrorKind::InvalidInput, true))),
            (folder.path(), Err((ErrorKind::IsADirectory, false))),
            (&*missing, Err((ErrorKind::NotFound, false))),
        ];
        for (path, expected) in cases {
            let found = open_file(path).map(drop).map_err(|error| (error.kind(), is_not_a_file(&error)));
            assert_eq!(found, expected, "{}", path.display());
        }
    }

    #[test]
    fn a_new_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let [file, missing] = ["file", "missing/file"].map(|name| folder.path().join(name));
        let dangling = folder.path().join("dangling");
        std::os::unix::fs::symlink("nowhere", &dangling).expect("a link");
        let cases = [
            (&*file, Ok(())),
            (&*file, Err(ErrorKind::AlreadyExists)),
            (&*dangling, Err(ErrorKind::AlreadyExists)),
            (folder.path(), Err(ErrorKind::AlreadyExists)),
            (&*missing, Err(ErrorKind::NotFound)),
        ];
        for (path, expected) in cases {
            assert_eq!(create_private(path, b"x").map_err(|error| error.kind()), expected, "{}", path.display());
        }
        // As another writer would, between the look and the rename.
        let raced = put_new(folder.path(), &file, b"y").map_err(|error| error.kind());
        assert_eq!(raced, Err(ErrorKind::AlreadyExists));
        assert_eq!(fs::read(&file).expect("there"), b"x");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing else is left");
    }

    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        for bytes in [&b"old"[..], b"new"] {
            replace_file(&file, bytes).expect("it can be written");
            assert_eq!(std::fs::read(&file).expect("there"), bytes);
        }
        let cases = [
            (folder.path(), Err(ErrorKind::IsADirectory)),
            (&folder.path().join("missing/file"), Err(ErrorKind::NotFound)),
            (Path::new("/dev/null"), Ok(())),
            (Path::new("/dev/full"), Err(ErrorKind::StorageFull)),
        ];
        for (path, expected) in cases {
            assert_eq!(replace_file(path, b"x").map_err(|error| error.kind()), expected, "{}", path.display());
            assert!(!path.is_file(), "{}", path.display());
        }
    }
}
