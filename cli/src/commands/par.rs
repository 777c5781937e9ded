//! `cofferdam par`: provider archives, a signed set of libraries with one for each target.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cofferdam_claims::{ArchiveLimits, KeyKind, Needs, Packing, ProviderArchive, WriteOptions, load_seed};
use cofferdam_host::grants::Allowance;
use cofferdam_library::{LibraryFault, Target};
use serde_json::json;

use super::explain::bad_needs;
use super::inspect::{provider, report, verified};
use super::signing::{TrustArgs, ValidityArgs};
use crate::failure::{Exit, Failure};
use crate::inputs;
use crate::output::Output;
use crate::table::Sheet;

/// Needs have to fit a token, with the rest of the claims.
const NEEDS_BYTES_MAX: u64 = 16 * 1024;

/// Make provider archives and look at them
#[derive(Debug, clap::Args)]
pub(crate) struct ParArgs {
    #[command(subcommand)]
    command: ParCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ParCommand {
    Create(Box<CreateArgs>),
    Inspect(ArchiveArgs),
    Verify(ArchiveArgs),
}

/// Make and sign an archive
#[derive(Debug, clap::Args)]
#[command(after_help = CREATE_HELP)]
struct CreateArgs {
    /// The seed file of the account that signs
    #[arg(long, value_name = "KEYFILE")]
    issuer: PathBuf,
    /// The seed file of the provider
    #[arg(long, value_name = "KEYFILE")]
    subject: PathBuf,
    /// The contract that the provider serves, such as wasmcloud:keyvalue
    #[arg(long, value_name = "CONTRACT", value_parser = inputs::contract)]
    capid: String,
    /// The name for people
    #[arg(long)]
    name: String,
    /// Who makes it
    #[arg(long)]
    vendor: String,
    /// The revision
    #[arg(long, value_name = "NUMBER")]
    rev: Option<i32>,
    /// The version for people
    #[arg(long, value_name = "TEXT")]
    ver: Option<String>,
    /// A library, for this machine or for a target such as aarch64-linux; repeat it for more
    #[arg(long = "lib", value_name = "[TARGET=]PATH", required = true, value_parser = inputs::library)]
    libraries: Vec<(String, PathBuf)>,
    /// What the provider needs of the world, as JSON or a file of it; see docs/providers.md. Without it the archive states
    /// nothing, and the provider gets what its grants say
    #[arg(long, value_name = "JSON|FILE")]
    needs: Option<String>,
    #[command(flatten)]
    validity: ValidityArgs,
    /// Where the archive goes; compressed when it ends in .gz
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Show or check an archive
#[derive(Debug, clap::Args)]
#[command(after_help = ARCHIVE_HELP)]
struct ArchiveArgs {
    /// The archive (.par or .par.gz)
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

const CREATE_HELP: &str = "\
Example:
  cofferdam par create --issuer issuer.nk --subject keyvalue.nk --capid wasmcloud:keyvalue \\
      --name 'Key-value store' --vendor Example --rev 1 --ver 1.0.0 \\
      --lib target/debug/libkeyvalue.so --needs '{}' --out keyvalue.par.gz";

const ARCHIVE_HELP: &str = "\
`inspect` shows every check and succeeds; `verify` fails (exit code 3) when one of them does.

Example:
  cofferdam par verify keyvalue.par.gz --trust ACCOUNT";

pub(crate) fn execute(args: ParArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        ParCommand::Create(args) => create(&args, output),
        ParCommand::Inspect(args) => {
            let file = args.file.display().to_string();
            let archive = ProviderArchive::try_load_file(&args.file)?;
            let inspection = archive.inspect(&file, &args.trust.trust()?, SystemTime::now())?;
            report(&provider(&file, &archive, &inspection), output)
        }
        ParCommand::Verify(args) => {
            let (file, trust) = (args.file.display().to_string(), args.trust.trust()?);
            let archive = ProviderArchive::try_load_file(&args.file)?;
            let proof = archive.verify(&file, &trust, SystemTime::now())?;
            verified(&file, proof.subject(), proof.issuer(), &trust, output)
        }
    }
}

/// A library that a shim for its target would take. Who signs another one would learn of it when the host starts.
fn library(target: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let Some(target) = Target::named(target) else {
        let known: Vec<&str> = Target::ALL.iter().map(|target| target.name()).collect();
        let message = format!("--lib: the target {target:?} is unknown; known are {}", known.join(", "));
        return Err(Failure::new(Exit::Usage, "usage", message, "name one of these: --lib TARGET=PATH"));
    };
    let bytes = inputs::read_file(path, ArchiveLimits::default().library_bytes_max)?;
    match cofferdam_library::check(&bytes, target) {
        Ok(()) => Ok(bytes),
        Err(fault) => {
            let message = format!("{}: is no provider's library for {}: {fault}", path.display(), target.name());
            let next = match fault {
                LibraryFault::NotALibrary { .. } => {
                    "give the shared library (.so) that was built for this target, or name its own: --lib TARGET=PATH"
                }
                LibraryFault::NoEntry => "export a provider from it; docs/write-a-provider.md shows how",
                LibraryFault::OtherAbi { .. } => "build it again, with the SDK of this version",
            };
            Err(Failure::new(Exit::Usage, "not_a_provider", message, next))
        }
    }
}

/// What is stated, checked as a host would.
fn needs(text: &str) -> Result<Needs, Failure> {
    let inline = text.trim_start().starts_with('{');
    let (what, json) = if inline {
        ("--needs".to_owned(), text.as_bytes().to_vec())
    } else {
        (text.to_owned(), inputs::read_file(Path::new(text), NEEDS_BYTES_MAX)?)
    };
    let needs: Needs = serde_json::from_slice(&json).map_err(|error| {
        let next = "write a JSON object of listen, connect, dir, file, env, secret and network; see docs/providers.md";
        Failure::new(Exit::Usage, "bad_needs", format!("{what}: {error}"), next)
    })?;
    Allowance::new(Some(&needs), None).map_err(|error| bad_needs(&what, &error))?;
    Ok(needs)
}

fn create(args: &CreateArgs, output: &Output) -> Result<(), Failure> {
    let issuer = load_seed(KeyKind::Account, &args.issuer)?;
    let subject = load_seed(KeyKind::Provider, &args.subject)?;
    let mut archive = ProviderArchive::new(&args.capid, &args.name, &args.vendor, args.rev, args.ver.clone());
    for (target, path) in &args.libraries {
        if archive.targets().contains(target) {
            let message = format!("--lib: there are two libraries for the target {target}");
            return Err(Failure::new(Exit::Usage, "usage", message, "name the other one's target: --lib TARGET=PATH"));
        }
        archive.add_library(target, &library(target, path)?)?;
    }
    if let Some(text) = &args.needs {
        archive.set_needs(Some(needs(text)?));
    }
    let gzip = args.out.extension().is_some_and(|extension| extension == "gz");
    let packing = if gzip { Packing::Gzip } else { Packing::Plain };
    let options = WriteOptions { packing, validity: args.validity.validity()? };
    let file = archive.write_with(&args.out, &issuer, &subject, &options)?.display().to_string();
    let (id, issuer, targets) = (subject.public_key(), issuer.public_key(), archive.targets());
    output.result(&json!({"file": file, "subject": id, "issuer": issuer, "targets": targets}), || {
        let mut sheet = Sheet::default();
        sheet.row("written", &file).row("provider", &id).row("issuer", &issuer).row("targets", targets.join(", "));
        sheet.render(output)
    })
}
