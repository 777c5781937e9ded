//! `cofferdam provider`: what an operator does to one provider of the running host.

use std::time::Duration;

use clap::Subcommand;
use cofferdam_host::control::{ProviderAct, ProviderReport, ProviderRequest};

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::inputs;
use crate::output::{Output, plain};

/// Restart, stop, hold or release a provider of the running host
///
/// Each waits until it is done. A provider that takes calls is drained first: it takes no new ones, and those in flight
/// have two seconds to end. Its links stay.
#[derive(Debug, clap::Args)]
pub(crate) struct ProviderArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Start another process of it; this ends a hold, too
    #[command(after_help = "Example:\n  cofferdam provider restart keyvalue")]
    Restart(Whom),
    /// Stop it until it is started again, by a manifest or a program
    #[command(after_help = "Example:\n  cofferdam provider stop VAID… --link backup")]
    Stop(Whom),
    /// Keep it from running until it is released; calls are told that it is held
    #[command(after_help = "Example:\n  cofferdam provider hold keyvalue")]
    Hold(Whom),
    /// Start it if it is held, by an operator or because it died too often
    #[command(after_help = "Example:\n  cofferdam provider release keyvalue -o json")]
    Release(Whom),
}

#[derive(Debug, clap::Args)]
struct Whom {
    /// The provider's name or public key (V…), as `cofferdam ps` shows them
    #[arg(value_name = "NAME_OR_KEY")]
    provider: String,
    /// The link name it runs under, where it runs under several
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    /// How long to wait until it is done; it goes on all the same
    #[arg(long, default_value = "30s", value_parser = inputs::duration, value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(crate) fn execute(args: ProviderArgs, output: &Output) -> Result<(), Failure> {
    let (act, whom) = match args.act {
        Act::Restart(whom) => (ProviderAct::Restart, whom),
        Act::Stop(whom) => (ProviderAct::Stop, whom),
        Act::Hold(whom) => (ProviderAct::Hold, whom),
        Act::Release(whom) => (ProviderAct::Release, whom),
    };
    let Whom { provider, link, timeout, connect } = whom;
    output.note(&plain(&format!("{} of {provider}: waiting at most {timeout:?}", act.word())));
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let request = ProviderRequest { act, provider, link, timeout_ms };
    let report = connect.ask(async |mut client| Ok(client.attend(request).await?))?;
    output.result(&report, || plain(&text(&report)))
}

fn text(report: &ProviderReport) -> String {
    let ProviderReport { id, link, name, state, why, pid, generation, .. } = report;
    let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let name = if name.is_empty() { String::new() } else { format!("{name} ") };
    format!("{name}{id} (link {link}) is {state}{why}, generation {generation}{pid}\n")
}
