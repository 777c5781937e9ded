//! `cofferdam ps`: what the running host runs.

use std::time::Duration;

use cofferdam_host::control::{ActorReport, LinkReport, ProviderReport, PsReport};

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::output::{Output, Style, plain};
use crate::table::{Cell, Table};

/// Show what the running host runs: actors, providers, links
///
/// The values of links are left out: they may be secrets. An actor that is not metered can't be ended when it loops;
/// what runs on after its deadline is counted beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PsArgs {
    #[command(flatten)]
    connect: ConnectArgs,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam ps
  cofferdam ps -o json --namespace default";

pub(crate) fn execute(args: &PsArgs, output: &Output) -> Result<(), Failure> {
    let report = args.connect.ask(async |mut client| Ok(client.ps().await?))?;
    output.result(&report, || text(&report, output))
}

fn text(report: &PsReport, output: &Output) -> String {
    let uptime = humantime::format_duration(Duration::from_secs(report.uptime_s));
    let host = format!(
        "host {}  pid {}  namespace {}  up {uptime}  sandbox {}  audit {}\n",
        report.host_id, report.pid, report.namespace, report.sandbox, report.audit
    );
    let mut text = plain(&host);
    text.push_str(&section("actors", report.actors.len(), actors(&report.actors), output));
    text.push_str(&section(
        "providers",
        report.providers.len(),
        providers(&report.providers, report.sandbox == "off"),
        output,
    ));
    text.push_str(&whys(&report.providers));
    text.push_str(&section("links", report.links.len(), links(&report.links), output));
    text
}

fn section(name: &str, rows: usize, table: Table, output: &Output) -> String {
    let shown = if rows == 0 { format!("no {name}\n") } else { table.render(output) };
    format!("\n{shown}")
}

fn actors(actors: &[ActorReport]) -> Table {
    let mut table = Table::new(["ACTOR", "NAME", "REV", "ALIAS", "CALLS", "METERED"]);
    for actor in actors {
        let metered = match (actor.metered, actor.runaways) {
            (true, _) => Cell::new("yes"),
            (false, 0) => Cell::styled("no", Style::Bad),
            (false, run_on) => Cell::styled(format!("no, {run_on} run on"), Style::Bad),
        };
        table.row([
            Cell::new(&actor.id),
            Cell::new(&actor.name),
            Cell::maybe(actor.revision),
            Cell::maybe(actor.call_alias.as_deref()),
            Cell::new(actor.calls_in_flight),
            metered,
        ]);
    }
    table
}

fn providers(providers: &[ProviderReport], is_off: bool) -> Table {
    let headings = ["PROVIDER", "NAME", "CONTRACT", "LINK", "PID", "STATE", "GEN", "RESTARTS", "SANDBOX", "LAST EXIT"];
    let mut table = Table::new(headings);
    for provider in providers {
        table.row([
            Cell::new(&provider.id),
            Cell::new(&provider.name),
            Cell::new(&provider.contract),
            Cell::new(&provider.link),
            Cell::maybe(provider.pid),
            Cell::styled(&provider.state, style_of(&provider.state)),
            Cell::new(provider.generation),
            Cell::new(provider.restarts),
            sandbox(provider, is_off),
            Cell::maybe(provider.last_exit.as_deref()),
        ]);
    }
    table
}

/// A line for each provider whose state has a reason.
fn whys(providers: &[ProviderReport]) -> String {
    let line = |provider: &ProviderReport| {
        let ProviderReport { id, link, state, why, next_try_ms, .. } = provider;
        let why = why.as_ref()?;
        let next = next_try_ms.map(|ms| match Duration::from_secs(ms.div_ceil(1000)) {
            Duration::ZERO => "; it is tried again now".to_owned(),
            time => format!("; it is tried again in {}", humantime::format_duration(time)),
        });
        let release = (state == "held").then(|| format!("; `cofferdam provider release {id} --link {link}` starts it"));
        let (next, release) = (next.unwrap_or_default(), release.unwrap_or_default());
        Some(plain(&format!("{id} (link {link}) is {state}: {why}{next}{release}")).replace('\n', " ") + "\n")
    };
    providers.iter().filter_map(line).collect()
}

/// Whether all of the sandbox is in force, where there is a process.
fn sandbox(provider: &ProviderReport, is_off: bool) -> Cell {
    match (provider.pid, &*provider.unconfined) {
        (None, _) => Cell::maybe(None::<&str>),
        (Some(_), _) if is_off => Cell::styled("off", Style::Bad),
        (Some(_), []) => Cell::styled("full", Style::Good),
        (Some(_), missing) => Cell::styled(format!("without {}", missing.join(", ")), Style::Bad),
    }
}

fn links(links: &[LinkReport]) -> Table {
    let mut table = Table::new(["LINK FROM ACTOR", "CONTRACT", "LINK", "TO PROVIDER", "STATE"]);
    for link in links {
        table.row([
            Cell::new(&link.actor),
            Cell::new(&link.contract),
            Cell::new(&link.link),
            Cell::new(&link.provider),
            Cell::styled(&link.state, style_of(&link.state)),
        ]);
    }
    table
}

/// States begin with one of a few words; an unknown one is busy.
fn style_of(state: &str) -> Style {
    match state.split([' ', ':']).next() {
        Some("ready" | "bound") => Style::Good,
        Some("held" | "stopped" | "rejected" | "denied") => Style::Bad,
        _ => Style::Busy,
    }
}
