//! Where an image is: a file beside the manifest, or a registry. It looks, and never opens or fetches.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where an `image_ref` leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file that was there a moment ago.
    File(PathBuf),
    /// A registry reference, as it was written. Nobody has looked at its grammar yet.
    Registry(String),
}

/// Why an `image_ref` leads nowhere: the operator's mistake.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// It looks like a path, and there is no file.
    #[error("{image_ref:?} is a path, and there is no file {}", .tried.display())]
    NoFile {
        /// As it was written.
        image_ref: String,
        /// The absolute path that was looked at.
        tried: PathBuf,
    },
}

/// What no registry reference begins with.
const PATH_STARTS: &[&str] = &["./", "../", "/", "~/"];
/// What files of actors and providers end in.
const PATH_ENDS: &[&str] = &[".wasm", ".par", ".par.gz"];

impl Source {
    /// A file that is there wins over a registry reference of the same text. What looks like a path (begins with `./`,
    /// `../`, `/` or `~/`, or ends in `.wasm`, `.par` or `.par.gz`) is never looked for in a registry.
    ///
    /// # Errors
    ///
    /// When it looks like a path and `is_file` denies it.
    pub fn of(image_ref: &str, base_dir: &Path, is_file: &dyn Fn(&Path) -> bool) -> Result<Self, SourceError> {
        let joined = base_dir.join(image_ref);
        let path = std::path::absolute(&joined).unwrap_or(joined);
        if is_file(&path) {
            return Ok(Self::File(path));
        }
        let looks_like_path = PATH_STARTS.iter().any(|start| image_ref.starts_with(start))
            || PATH_ENDS.iter().any(|end| image_ref.ends_with(end));
        if looks_like_path {
            return Err(SourceError::NoFile { image_ref: image_ref.to_owned(), tried: path });
        }
        Ok(Self::Registry(image_ref.to_owned()))
    }
}

impl SourceError {
    /// What to do next, for a person.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::NoFile { image_ref, .. } if image_ref.starts_with('~') => "write ${HOME} for the home directory",
            Self::NoFile { .. } => "build it, or correct the path: a relative one starts from the manifest's folder",
        }
    }
}
