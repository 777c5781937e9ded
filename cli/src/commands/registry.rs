//! `cofferdam pull` and `cofferdam push`: actors and archives in registries, and the flags that say how these are used.

mod bar;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cofferdam_claims::{ArchiveLimits, MODULE_BYTES_MAX, ProviderArchive, Trust, verify_actor};
use cofferdam_host::HostError;
use cofferdam_registry::{
    Credentials, Kind, Latest, Offline, Pulled, Reference, Registry, RegistryConfig, RegistryError, SizeLimits, Wanted,
};
use serde_json::json;

use crate::connect::{environment, runtime, state_dir};
use crate::failure::Failure;
use crate::inputs;
use crate::output::Output;
use crate::table::Sheet;
use bar::Bar;

/// How registries are used, by all commands.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RegistryArgs {
    /// Take references that mean `latest`, or have neither tag nor digest
    #[arg(long)]
    pub(crate) allow_oci_latest: bool,
    /// A file of certificates (PEM) of authorities to trust at registries, beside the system's [env: COFFERDAM_REGISTRY_CA]
    #[arg(long, value_name = "FILE")]
    registry_ca: Option<PathBuf>,
}

/// Fetch an actor or a provider archive from a registry
///
/// What is fetched is kept in the cache that `run` uses, so a host starts it without the network if the reference has a
/// digest. Credentials are those of the Docker configuration, else OCI_REGISTRY_USER and OCI_REGISTRY_PASSWORD.
#[derive(Debug, clap::Args)]
#[command(after_help = PULL_HELP)]
pub(crate) struct PullArgs {
    /// REGISTRY/REPOSITORY:TAG, or with @sha256:… for certain bytes
    reference: String,
    /// Write it to a file, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where it is kept [env: COFFERDAM_REGISTRY_CACHE] [default: registry in the host's state directory]
    #[arg(long, value_name = "DIR")]
    registry_cache: Option<PathBuf>,
    /// A registry that speaks plain HTTP, as the reference names it; repeat it for more
    #[arg(long, value_name = "REGISTRY")]
    allowed_insecure: Vec<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Put an actor or a provider archive into a registry
///
/// It must be signed. Credentials are those of the Docker configuration, else OCI_REGISTRY_USER and OCI_REGISTRY_PASSWORD.
#[derive(Debug, clap::Args)]
#[command(after_help = PUSH_HELP)]
pub(crate) struct PushArgs {
    /// REGISTRY/REPOSITORY:TAG
    reference: String,
    /// The signed module (.wasm) or archive (.par, .par.gz)
    file: PathBuf,
    /// A registry that speaks plain HTTP, as the reference names it; repeat it for more
    #[arg(long, value_name = "REGISTRY")]
    allowed_insecure: Vec<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

const PULL_HELP: &str = "\
Example:
  cofferdam pull registry.example/echo:0.2.0 --out echo.wasm";

const PUSH_HELP: &str = "\
Example:
  cofferdam push registry.example/echo:0.2.0 echo.wasm";

impl RegistryArgs {
    /// The file of authorities, by flag or variable.
    pub(crate) fn authorities(&self, environment: &BTreeMap<String, OsString>) -> Option<PathBuf> {
        self.registry_ca.clone().or_else(|| path_of("COFFERDAM_REGISTRY_CA", environment))
    }

    fn config(&self, cache: PathBuf, insecure: &[String]) -> Result<RegistryConfig, Failure> {
        let environment = environment();
        let variable = |name: &str| environment.get(name).cloned();
        let credentials = Credentials::from_environment(&variable).map_err(RegistryError::Credentials)?;
        Ok(RegistryConfig {
            latest: if self.allow_oci_latest { Latest::Allowed } else { Latest::Refused },
            insecure: insecure.to_owned(),
            authorities: self.authorities(&environment),
            credentials,
            // Whoever pulls wants to know what the registry has, not what it had.
            offline: Offline::Fail,
            sizes: SizeLimits {
                actor_bytes_max: MODULE_BYTES_MAX,
                provider_bytes_max: ArchiveLimits::default().total_bytes_max,
            },
            ..RegistryConfig::new(cache)
        })
    }
}

/// Where a host keeps what comes from registries, if somebody says so.
pub(crate) fn cache_of(flag: Option<&Path>, environment: &BTreeMap<String, OsString>) -> Option<PathBuf> {
    flag.map(Path::to_owned).or_else(|| path_of("COFFERDAM_REGISTRY_CACHE", environment))
}

fn path_of(variable: &str, environment: &BTreeMap<String, OsString>) -> Option<PathBuf> {
    environment.get(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

pub(crate) fn pull(args: &PullArgs, output: &Output) -> Result<(), Failure> {
    let cache = match cache_of(args.registry_cache.as_deref(), &environment()) {
        Some(cache) => cache,
        None => state_dir(None, None)?.join("registry"),
    };
    let registry = Registry::new(args.registry.config(cache, &args.allowed_insecure)?)?;
    let pulled = transfer(registry.pull(&args.reference, Wanted::Any, Bar::shared(output)))?;
    if let Some(path) = &args.out {
        inputs::replace_file(path, &pulled.bytes)?;
    }
    let Pulled { bytes, kind, manifest, digest, .. } = pulled;
    let pinned = pinned(&args.reference, manifest)?;
    let file = args.out.as_ref().map(|path| path.display().to_string());
    let (reference, size) = (&args.reference, bytes.len());
    let value = json!({
        "reference": reference, "kind": kind, "bytes": size, "digest": digest.to_string(), "pinned": pinned, "file": file,
    });
    output.result(&value, || {
        let mut sheet = Sheet::default();
        sheet.row("pulled", reference).row("is", format!("{kind}, {size} bytes"));
        sheet.row("digest", digest.to_string()).row("pinned", &pinned);
        if let Some(file) = &file {
            sheet.row("written", file);
        }
        sheet.render(output)
    })
}

pub(crate) fn push(args: &PushArgs, output: &Output) -> Result<(), Failure> {
    let bytes = inputs::read_file(&args.file, ArchiveLimits::default().total_bytes_max)?;
    let file = args.file.display().to_string();
    check_signed(&file, &bytes)?;
    let size = bytes.len();
    // Nothing is pulled, so no cache is made.
    let registry = Registry::new(args.registry.config(PathBuf::new(), &args.allowed_insecure)?)?;
    let pushed = transfer(registry.push(&args.reference, bytes, Bar::shared(output)))?;
    let (kind, digest, reference) = (pushed.kind, pushed.digest.to_string(), &args.reference);
    let pinned = pinned(reference, pushed.manifest)?;
    let value = json!({ "reference": reference, "kind": kind, "bytes": size, "digest": digest, "pinned": pinned, "file": file });
    output.result(&value, || {
        let mut sheet = Sheet::default();
        sheet.row("pushed", &file).row("is", format!("{kind}, {size} bytes")).row("to", reference);
        sheet.row("digest", &digest).row("pinned", &pinned);
        sheet.render(output)
    })
}

/// What no host would start is not worth a place in a registry.
fn check_signed(file: &str, bytes: &[u8]) -> Result<(), Failure> {
    match Kind::of(bytes) {
        Some(Kind::Provider) => {
            ProviderArchive::try_load(bytes)?.verify(file, &Trust::Any, SystemTime::now())?;
        }
        // What is neither is told what it lacks to be a module.
        Some(Kind::Actor) | None => {
            verify_actor(file, bytes, &Trust::Any, SystemTime::now())?;
        }
    }
    Ok(())
}

/// The reference that means these bytes for ever.
fn pinned(reference: &str, manifest: cofferdam_registry::Digest) -> Result<String, Failure> {
    let reference: Reference = reference.parse().map_err(RegistryError::Reference)?;
    Ok(reference.at(manifest).to_string())
}

fn transfer<T>(transfer: impl Future<Output = Result<T, RegistryError>>) -> Result<T, Failure> {
    Ok(runtime()?.block_on(transfer)?)
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        HostError::Registry(error).into()
    }
}
