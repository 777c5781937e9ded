//! `cofferdam inspect`: what a file is, by its first bytes, and what it says of itself.
//!
//! It believes nothing, opens no library and never prints a seed, a token or a link's value.

mod library;
mod manifest;
mod signed;
mod text;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cofferdam_claims::{ArchiveLimits, Check, ProviderArchive, inspect_actor, module_hash, open_file, read_module};
use serde_json::Value;

use super::signing::TrustArgs;
use crate::failure::{Exit, Failure};
use crate::inputs;
use crate::output::Output;
use crate::table::Sheet;

pub(crate) use signed::{actor, provider, verified};

/// Say what a file is and what it holds, whatever it is
///
/// Knows modules (signed or not), provider archives, tokens, seeds (never printed), public keys, manifests and libraries.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct InspectArgs {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

/// What was found, for programs and for people.
pub(crate) struct Found {
    pub(crate) json: Value,
    pub(crate) sheet: Sheet,
}

/// What the first bytes say.
enum Looks {
    Module,
    Archive,
    Library,
    Text,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam inspect echo.wasm
  cofferdam inspect keyvalue.par.gz -o json";

const HEAD_BYTES: u64 = 512;
/// Where a tar file says that it is one.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;
/// Keys, tokens and manifests are not larger.
const TEXT_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn execute(args: &InspectArgs, output: &Output) -> Result<(), Failure> {
    let found = look(&args.file, args)?;
    report(&found, output)
}

/// Prints what was found.
pub(crate) fn report(found: &Found, output: &Output) -> Result<(), Failure> {
    output.result(&found.json, || found.sheet.render(output))
}

fn look(path: &Path, args: &InspectArgs) -> Result<Found, Failure> {
    let file = path.display().to_string();
    let trust = args.trust.trust()?;
    match looks(path)? {
        Looks::Module => {
            let wasm = read_module(path)?;
            match inspect_actor(&file, &wasm, &trust, SystemTime::now()) {
                Ok(inspection) => Ok(actor(&file, &inspection)),
                Err(error) if error.check() == Check::Signed => Ok(signed::unsigned(&file, module_hash(&file, &wasm)?)),
                Err(error) => Err(error.into()),
            }
        }
        Looks::Archive => {
            let archive = ProviderArchive::try_load_file(path)?;
            let inspection = archive.inspect(&file, &trust, SystemTime::now())?;
            Ok(provider(&file, &archive, &inspection))
        }
        Looks::Library => {
            let bytes = inputs::read_file(path, ArchiveLimits::default().library_bytes_max)?;
            library::look(&file, &bytes).ok_or_else(|| unknown(&file, "it begins as an ELF file and is damaged"))
        }
        Looks::Text => {
            let bytes =
                inputs::read_file(path, TEXT_BYTES_MAX).map_err(|failure| match failure.report.kind.as_str() {
                    "file_too_large" => unknown(&file, "nothing that we know is of this size"),
                    _ => failure,
                })?;
            let text = std::str::from_utf8(&bytes).map_err(|_| unknown(&file, "it is not text"))?;
            match text::look(&file, text) {
                Some(found) => Ok(found),
                None => manifest::look(path, text),
            }
        }
    }
}

fn looks(path: &Path) -> Result<Looks, Failure> {
    let unreadable = |error| Failure::unreadable(path, &error);
    let mut head = Vec::new();
    open_file(path).map_err(unreadable)?.take(HEAD_BYTES).read_to_end(&mut head).map_err(unreadable)?;
    Ok(match head.as_slice() {
        [] => return Err(unknown(&path.display().to_string(), "it is empty")),
        [0, b'a', b's', b'm', ..] => Looks::Module,
        [0x1f, 0x8b, ..] => Looks::Archive,
        [0x7f, b'E', b'L', b'F', ..] => Looks::Library,
        head if head.get(TAR_MAGIC).is_some_and(|magic| magic == b"ustar") => Looks::Archive,
        _ => Looks::Text,
    })
}

fn unknown(file: &str, why: &str) -> Failure {
    let message = format!("{file}: is nothing that we know: {why}");
    let next = "give a module, an archive, a token, a key, a manifest or a provider's library";
    Failure::new(Exit::Usage, "unknown_file", message, next)
}
