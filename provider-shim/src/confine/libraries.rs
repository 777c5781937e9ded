//! Where the system's libraries lie: where those lie that this very process was loaded with.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names by which a linked program may look for them, where the system keeps a link of that name.
const ALIASES: [&str; 4] = ["/lib", "/lib64", "/usr/lib64", "/lib32"];

/// The folders, without symbolic links on their way.
pub(super) fn folders() -> io::Result<BTreeSet<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mapped =
        maps.lines().filter_map(|line| line.split_once('/')).map(|(_, path)| PathBuf::from(format!("/{path}")));
    let libraries = mapped.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so")));
    Ok(libraries.filter_map(|path| path.parent().map(Path::to_owned)).collect())
}

/// Links of the system that lead there, with what they hold.
pub(super) fn links() -> impl Iterator<Item = (&'static str, PathBuf)> {
    ALIASES.into_iter().filter_map(|alias| Some((alias, fs::read_link(alias).ok()?)))
}
