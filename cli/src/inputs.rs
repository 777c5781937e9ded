//! What commands read and write: bounded, and written in one step.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cofferdam_claims::open_file;

use crate::failure::{Exit, Failure};

/// Reads a file of at most `bytes_max`.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let file = open_file(path).map_err(|error| Failure::unreadable(path, &error))?;
    let bytes = read_bounded(file, bytes_max).map_err(|error| Failure::unreadable(path, &error))?;
    bytes.ok_or_else(|| too_large(&path.display().to_string(), bytes_max))
}

/// Reads standard input, at most `bytes_max`.
pub(crate) fn read_stdin(bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let bytes = read_bounded(io::stdin().lock(), bytes_max);
    let bytes = bytes.map_err(|error| Failure::unreadable(Path::new("standard input"), &error))?;
    bytes.ok_or_else(|| too_large("standard input", bytes_max))
}

/// Puts a file in place in one step: readers see the old one or the new one.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    cofferdam_claims::replace_file(path, bytes).map_err(|error| Failure::unwritable(path, &error))
}

/// A duration such as `30d`, `12h` or `1500ms`, for clap.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "give a number with a unit, such as 2s, 12h or 30d".to_owned())
}

/// A time in seconds since 1970, for clap.
pub(crate) fn seconds_since_1970(text: &str) -> Result<SystemTime, String> {
    let seconds: u64 = text.parse().map_err(|_| "give whole seconds since 1970".to_owned())?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or_else(|| "too late a time".to_owned())
}

/// `TARGET=PATH`, or a path alone for this machine's target; for clap.
pub(crate) fn library(text: &str) -> Result<(String, PathBuf), String> {
    let native = || cofferdam_claims::native_target().to_owned();
    match text.split_once('=') {
        Some((target, path)) if !target.contains('/') => match path {
            "" => Err("there is no path after `=`".to_owned()),
            path => Ok((target.to_owned(), PathBuf::from(path))),
        },
        _ => Ok((native(), PathBuf::from(text))),
    }
}

/// A contract's name, which says whose it is; for clap.
pub(crate) fn contract(text: &str) -> Result<String, String> {
    let named = text.split_once(':').is_some_and(|(whose, what)| !whose.trim().is_empty() && !what.trim().is_empty());
    match named {
        true => Ok(text.to_owned()),
        false => Err("a contract is VENDOR:NAME, as in wasmcloud:keyvalue".to_owned()),
    }
}

fn read_bounded(from: impl Read, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

fn too_large(what: &str, bytes_max: u64) -> Failure {
    let message = format!("{what}: is larger than the limit of {bytes_max} bytes");
    Failure::new(Exit::Usage, "file_too_large", message, "give a smaller one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_may_name_its_target() {
        let native = cofferdam_claims::native_target();
        let cases = [
            ("lib.so", Ok((native, "lib.so"))),
            ("aarch64-linux=a/lib.so", Ok(("aarch64-linux", "a/lib.so"))),
            ("/odd=folder/lib.so", Ok((native, "/odd=folder/lib.so"))),
            ("x86_64-linux=", Err(())),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(target, path)| (target.to_owned(), PathBuf::from(path)));
            assert_eq!(library(text).map_err(drop), expected, "{text}");
        }
    }

    #[test]
    fn a_contract_says_whose_it_is() {
        for good in ["wasmcloud:keyvalue", "wasmcloud:builtin:extras"] {
            assert_eq!(contract(good).as_deref(), Ok(good));
        }
        for bad in ["", "keyvalue", ":keyvalue", "wasmcloud:", "wasmcloud: "] {
            assert!(contract(bad).expect_err(bad).ends_with("as in wasmcloud:keyvalue"));
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"12345").expect("writes");
        assert_eq!(read_file(file.path(), 5).expect("it fits"), b"12345");
        assert_eq!(read_file(file.path(), 4).expect_err("too large").report.kind, "file_too_large");
    }
}
