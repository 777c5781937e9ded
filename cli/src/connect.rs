//! Finding the running host and asking it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};

use cofferdam_host::control::Client;
use cofferdam_host::control::paths::Place;

use crate::failure::Failure;

/// The namespace of a host for which none was given.
pub(crate) const NAMESPACE: &str = "default";

/// Which host is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    /// The host's socket [env: COFFERDAM_SOCKET] [default: NAMESPACE.sock in /run/cofferdam for root, else in
    /// $XDG_RUNTIME_DIR/cofferdam; where that is not set, in $XDG_STATE_HOME/cofferdam or ~/.local/state/cofferdam]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The host's namespace [env: COFFERDAM_NAMESPACE] [default: default]
    #[arg(long, visible_alias = "nsprefix", value_name = "NAME")]
    namespace: Option<String>,
}

impl ConnectArgs {
    /// Connects and asks. `ask` is given the connection.
    pub(crate) fn ask<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        ask: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure> {
        let environment = environment();
        let namespace = namespace_of(self.namespace.as_deref(), &environment);
        let namespace = namespace.as_deref().unwrap_or(NAMESPACE);
        let place = Place { namespace, environment: &environment, uid: uid() };
        let socket = place.socket(self.socket.as_deref())?;
        runtime()?.block_on(async { ask(Client::connect(&socket).await?).await })
    }
}

/// The state directory that is meant: as named by flag or variable, else that of the running host, else the default.
pub(crate) fn state_dir(flag: Option<&Path>, namespace: Option<&str>) -> Result<PathBuf, Failure> {
    let environment = environment();
    let namespace = namespace_of(namespace, &environment);
    let place = Place { namespace: namespace.as_deref().unwrap_or(NAMESPACE), environment: &environment, uid: uid() };
    let default = place.state_dir(flag, None)?;
    let named = flag.is_some() || environment.get("COFFERDAM_STATE_DIR").is_some_and(|dir| !dir.is_empty());
    let of_the_host = if named { None } else { state_dir_of_the_host(&place) };
    Ok(of_the_host.unwrap_or(default))
}

/// A manifest may have named another than the default. Without a running host nobody knows.
fn state_dir_of_the_host(place: &Place<'_>) -> Option<PathBuf> {
    let socket = place.socket(None).ok()?;
    let report = runtime().ok()?.block_on(async { Client::connect(&socket).await.ok()?.ps().await.ok() })?;
    (!report.state_dir.is_empty()).then(|| report.state_dir.into())
}

/// The environment, as the pure functions take it. Names that are not UTF-8 are none of ours.
pub(crate) fn environment() -> BTreeMap<String, OsString> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
}

/// The namespace by flag or variable, if either names one.
pub(crate) fn namespace_of(flag: Option<&str>, environment: &BTreeMap<String, OsString>) -> Option<String> {
    let variable = || environment.get("COFFERDAM_NAMESPACE")?.to_str().filter(|name| !name.is_empty());
    flag.or_else(variable).map(str::to_owned)
}

/// The user whose files and socket count.
pub(crate) fn uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// For a command that waits for one thing.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        let message = format!("cannot start the runtime: {error}");
        Failure::new(crate::failure::Exit::Failed, "system", message, "check the limits on threads and descriptors")
    })
}
