//! `cofferdam run`: a host, from its start until it has drained.
//!
//! stdout gets one line, when everything in the manifest is up; the log goes to stderr. The first SIGINT or SIGTERM (or
//! `stop` over the operator's socket) drains, the second ends the process at once.

mod later;
mod logs;
mod plan;
mod signals;

use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use cofferdam_host::{Host, HostError, HostManifest, Sandbox, extras};
use serde::Serialize;

use super::registry::RegistryArgs;
use crate::connect::{environment, uid};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use plan::Plan;
use signals::Signals;

/// Run a host
///
/// Runs what the manifest names, or an empty host without one, until SIGINT or SIGTERM. Flags win over variables, these
/// over the manifest.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RunArgs {
    /// What to run: a YAML or JSON file
    #[arg(short, long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The host's namespace [env: COFFERDAM_NAMESPACE] [default: default]
    #[arg(long, visible_alias = "nsprefix", value_name = "NAME")]
    namespace: Option<String>,
    /// The operator's socket [env: COFFERDAM_SOCKET] [default: NAMESPACE.sock in /run/cofferdam for root, else in
    /// $XDG_RUNTIME_DIR/cofferdam; where that is not set, in $XDG_STATE_HOME/cofferdam or ~/.local/state/cofferdam]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// What the host keeps [env: COFFERDAM_STATE_DIR] [default: NAMESPACE in /var/lib/cofferdam for root, else in
    /// $XDG_STATE_HOME/cofferdam; where that is not set, in ~/.local/state/cofferdam]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// An account (A…) whose actors and providers are accepted; repeat it for more [env: COFFERDAM_TRUST, with commas]
    /// [default: any account]
    #[arg(long, value_name = "ACCOUNT")]
    trust: Vec<String>,
    /// An account (A…) whose actors run unmetered: faster, and nothing ends one that loops, see docs/actors.md; repeat it
    /// for more [env: COFFERDAM_UNMETERED_ISSUER, with commas] [default: none, all are metered]
    #[arg(long = "unmetered-issuer", value_name = "ACCOUNT")]
    unmetered_issuers: Vec<String>,
    /// What to do about measures of the sandbox that this machine lacks: `required` starts no provider without them,
    /// `best-effort` does and `ps` says what is missing, `off` takes none, for debugging [env: COFFERDAM_SANDBOX]
    /// [default: required]
    #[arg(long, value_name = "LEVEL")]
    sandbox: Option<Sandbox>,
    /// A label of the host; repeat it for more
    #[arg(short, long = "label", value_name = "KEY=VALUE", value_parser = plan::label)]
    labels: Vec<(String, String)>,
    /// The program that confines providers [env: COFFERDAM_SHIM] [default: cofferdam-shim beside this program]
    #[arg(long, value_name = "PATH")]
    shim: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Registries that speak plain HTTP, as references name them, with their ports [default: none]
    #[arg(long, value_name = "REGISTRY", num_args = 1..)]
    allowed_insecure: Vec<String>,
    /// Where what comes from registries is kept [env: COFFERDAM_REGISTRY_CACHE] [default: registry in the state directory]
    #[arg(long, value_name = "DIR")]
    registry_cache: Option<PathBuf>,
    #[command(flatten)]
    logs: logs::LogArgs,
    #[command(flatten)]
    later: later::LaterArgs,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam run -m manifest.yaml --trust ACCOUNT";

/// How long threads that still run a guest may delay the end of a host that has drained.
const THREADS_PATIENCE: Duration = Duration::from_secs(1);

/// Signals that come within this are one.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// What is said when everything is up.
#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    pid: u32,
    host_id: String,
    namespace: &'a str,
    actors: usize,
    providers: usize,
    links: usize,
    socket: String,
}

/// How the start ended.
enum Start {
    Up,
    /// By a signal, before everything was up.
    Cut,
}

pub(crate) fn execute(args: RunArgs, output: &Output) -> Result<(), Failure> {
    let environment = environment();
    args.later.refuse(&environment)?;
    logs::start(&args.logs, &environment)?;
    let text_of = |name: &str| environment.get(name).and_then(|value| value.to_str()).map(str::to_owned);
    let manifest = args.manifest.as_deref().map(|path| HostManifest::from_path(path, &text_of)).transpose()?;
    let manifest = manifest.unwrap_or_default();
    let plan = Plan::new(&args, &manifest.host, &environment, uid())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| {
        let message = format!("cannot start the runtime: {error}");
        Failure::new(Exit::Failed, "system", message, "check the limits on threads and descriptors")
    })?;
    let ended = runtime.block_on(serve(&plan, manifest, output));
    runtime.shutdown_timeout(THREADS_PATIENCE);
    ended
}

async fn serve(plan: &Plan, manifest: HostManifest, output: &Output) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let host = plan.builder().build();
    let started = tokio::select! {
        biased;
        () = signals.next() => Ok(Start::Cut),
        started = start(&host, manifest) => started.map(|()| Start::Up),
    };
    let outcome = match started {
        Ok(Start::Up) => announce(&host, plan, output).await,
        Ok(Start::Cut) => {
            tracing::info!("a signal came before everything was up");
            return drain(&host, &mut signals, "stopped").await;
        }
        Err(error) => {
            drain(&host, &mut signals, &format!("its start failed: {}", error.report().kind)).await?;
            return Err(error.into());
        }
    };
    if outcome.is_ok() {
        tokio::select! {
            () = signals.next() => tracing::info!("draining, because of a signal; another one ends at once"),
            () = host.stop_wanted() => tracing::info!("draining, because the operator said stop"),
        }
    }
    drain(&host, &mut signals, "stopped").await?;
    outcome
}

async fn start(host: &Host, manifest: HostManifest) -> Result<(), HostError> {
    host.start().await?;
    host.apply_manifest(manifest).await
}

async fn announce(host: &Host, plan: &Plan, output: &Output) -> Result<(), Failure> {
    let ready = Ready {
        ready: true,
        pid: std::process::id(),
        host_id: host.id(),
        namespace: plan.namespace(),
        actors: host.actors().await?.len(),
        // What is built in is always there; the line counts what was started.
        providers: host.providers().await?.iter().filter(|(_, contract, _)| contract != extras::CONTRACT_ID).count(),
        links: host.link_definitions().await?.len(),
        socket: plan.socket().display().to_string(),
    };
    output.result(&ready, || {
        let Ready { namespace, actors, providers, links, socket, .. } = &ready;
        let (actors, providers) = (counted(*actors, "actor"), counted(*providers, "provider"));
        format!("ready: namespace {namespace}, {actors}, {providers}, {}; socket {socket}\n", counted(*links, "link"))
    })
}

/// Ends well, or at once when another signal comes.
async fn drain(host: &Host, signals: &mut Signals, why: &str) -> Result<(), Failure> {
    let began = Instant::now();
    let mut stopping = pin!(host.stop_because(why));
    loop {
        tokio::select! {
            () = &mut stopping => return Ok(()),
            // Whoever signals the process and its group, as `timeout` does, says one thing.
            () = signals.next() => if began.elapsed() >= ONE_SIGNAL {
                tracing::warn!("a second signal: ending at once, without having drained");
                // Threads that run a guest would hold up a return from here; the shims die with this process.
                std::process::exit(Exit::Failed as i32)
            }
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
