//! Where the system's libraries lie: where those lie that this very process was loaded with.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::linker;

/// Names by which a linked program may look for them, where the system keeps a link of that name.
const ALIASES: [&str; 4] = ["/lib", "/lib64", "/usr/lib64", "/lib32"];

/// The folders, without symbolic links on their way.
pub(super) fn folders() -> io::Result<BTreeSet<PathBuf>> {
    let mut folders = BTreeSet::new();
    for library in linker::loaded() {
        folders.extend(fs::canonicalize(library)?.parent().map(Path::to_owned));
    }
    Ok(folders)
}

/// Links of the system that lead there, with what they hold.
pub(super) fn links() -> impl Iterator<Item = (&'static str, PathBuf)> {
    ALIASES.into_iter().filter_map(|alias| Some((alias, fs::read_link(alias).ok()?)))
}
