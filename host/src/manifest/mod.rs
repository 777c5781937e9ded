//! Layer 1, the manifest: what one host runs, as a file says it. Pure but for reading that one file.
//!
//! It says what is wrong with a file, where and what to write instead; it never starts, opens or asks for anything, and
//! it never ignores a key. Every key is in `docs/manifest.md`.
//!
//! ```
//! use cofferdam_host::manifest::{Format, HostManifest};
//! use std::path::Path;
//!
//! let text = "
//! labels: {region: lab}
//! host:
//!   trust: [AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCT]
//! actors:
//!   - ./echo.wasm
//! capabilities:
//!   - image_ref: ./httpserver.par.gz
//! links:
//!   - actor: MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY2
//!     provider_id: VB33BSG4GTDWDY37JIFX3SVZH3MLRTQ7NDW3BY3RPYM4YM5UYEL66NJY
//!     contract_id: wasmcloud:httpserver
//!     values: {PORT: ${ECHO_PORT:8080}}
//! ";
//! let environment = |name: &str| (name == "ECHO_PORT").then(|| "9090".to_owned());
//! let manifest = HostManifest::parse("demo.yaml", text, Format::Yaml, Path::new("/srv"), &environment)?;
//! assert_eq!(manifest.links[0].values["PORT"], "9090");
//! # Ok::<(), cofferdam_host::manifest::ManifestError>(())
//! ```
//!
//! # How a file is read
//!
//! `document` reads YAML or JSON into one tree of nodes that know their places, under bounds; `variables` expands
//! `${VAR}` in its scalars; `sections` walks it with a `cursor`, which knows the path of every key. So a variable can
//! change a scalar and nothing else: whatever it holds, it never becomes a key, a list or a second scalar. The reference
//! expanded the text, so that `PORT: ${PORT}` and `{PORT: ${PORT}}` work there without quotes; they do here too.

mod cursor;
mod document;
mod entry;
mod error;
mod fault;
mod grants;
mod nearest;
mod public_key;
mod quantity;
mod restart;
mod sections;
mod source;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use cofferdam_claims::open_file;

pub use document::Format;
pub use entry::{ActorEntry, ActorLimitsEntry, CapabilityEntry, HostSection, LinkEntry};
pub use error::{ManifestError, Position};
pub use fault::Fault;
pub use restart::RestartEntry;
pub use source::{Source, SourceError};

use document::Input;

/// The largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What one host runs. Every section is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostManifest {
    /// Labels of the host, for auctions.
    pub labels: BTreeMap<String, String>,
    /// The host itself.
    pub host: HostSection,
    /// Actors to start.
    pub actors: Vec<ActorEntry>,
    /// Providers to start.
    pub capabilities: Vec<CapabilityEntry>,
    /// Links to set, each of an actor to a provider.
    pub links: Vec<LinkEntry>,
    /// The folder that relative paths start from: the manifest's own.
    pub base_dir: PathBuf,
}

impl HostManifest {
    /// Reads a manifest; its extension says the [`Format`]. `environment` answers for `${VAR}`.
    ///
    /// # Errors
    ///
    /// When the file can't be read, is larger than [`MANIFEST_BYTES_MAX`] or is not UTF-8, and all of [`HostManifest::parse`].
    pub fn from_path(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ManifestError> {
        let name = path.display().to_string();
        let unreadable = |source| ManifestError::of_file(&name, Fault::Unreadable { source });
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let file = open_file(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        check_size(&name, bytes.len())?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let at = Position::at_end_of(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]));
            ManifestError::of_file(&name, Fault::NotUtf8).at(at)
        })?;
        let base_dir = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(&name, text, Format::of(path), base_dir, environment)
    }

    /// Reads a manifest from memory. `source_name` stands for the file in errors.
    ///
    /// # Errors
    ///
    /// A [`ManifestError`] for the first thing that is wrong with it.
    pub fn parse(
        source_name: &str,
        text: &str,
        format: Format,
        base_dir: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ManifestError> {
        check_size(source_name, text.len())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let input = Input { name: source_name, text };
        let mut document = document::read(&input, format)?;
        variables::expand(&input, &mut document, environment)?;
        sections::manifest(&input, &document, base_dir)
    }
}

fn check_size(name: &str, bytes: usize) -> Result<(), ManifestError> {
    if bytes as u64 > MANIFEST_BYTES_MAX {
        return Err(ManifestError::of_file(name, Fault::TooLarge { bytes_max: MANIFEST_BYTES_MAX }));
    }
    Ok(())
}
