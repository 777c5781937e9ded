//! Putting a file in place in one step: readers see the old one or the new one.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Writes beside the path, then renames over it. What is there and is no file (a pipe, a device such as `/dev/stdout`) is
/// written to and never replaced.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => return write_into(OpenOptions::new().write(true).open(path)?, bytes),
        _ => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    put_in_place(folder, path, bytes).map_err(without_path)
}

fn write_into(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

fn put_in_place(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = tempfile::Builder::new();
    #[cfg(unix)]
    options.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = options.prefix(".cofferdam-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// tempfile adds the name of its own file, which says nothing to anybody.
fn without_path(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() { error } else { error.kind().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
