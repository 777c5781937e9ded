//! `cofferdam explain`: what one provider may have of the world, and why.

use std::path::PathBuf;
use std::time::SystemTime;

use cofferdam_claims::{ProviderArchive, Trust};
use cofferdam_host::control::{
    AuthorityReport, ExplainReport, ExplainRequest, GroupReport, LimitsReport, RunningReport,
};
use cofferdam_host::explain_packaged;
use cofferdam_host::grants::{Allowance, AllowanceError};

use crate::connect::ConnectArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Style};
use crate::table::{Cell, Sheet};

/// Show what a provider may have of the world, and why
///
/// Of a provider that runs: what its archive needs, what it is granted, what follows, where it listens, its limits and
/// its sandbox. Of an archive (.par, .par.gz): what it would get without grants. The values of links, variables and
/// secrets are not shown: `$PORT` is the link value of that name.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ExplainArgs {
    /// The name or public key (V…) of a running provider, or an archive
    #[arg(value_name = "PROVIDER")]
    provider: String,
    /// The link name it runs under, where it runs under several
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam explain httpserver
  cofferdam explain ./httpserver.par.gz -o json";

pub(crate) fn execute(args: ExplainArgs, output: &Output) -> Result<(), Failure> {
    let ExplainArgs { provider, link, connect } = args;
    let report = match archive(&provider) {
        Some(path) => packaged(&path)?,
        None => connect.ask(async |mut client| Ok(client.explain(ExplainRequest { provider, link }).await?))?,
    };
    output.result(&report, || text(&report, output))
}

/// The name of an archive, by what it looks like: no provider is called by one.
fn archive(name: &str) -> Option<PathBuf> {
    let is_path = name.contains('/') || name.ends_with(".par") || name.ends_with(".par.gz");
    is_path.then(|| PathBuf::from(name))
}

fn packaged(path: &std::path::Path) -> Result<ExplainReport, Failure> {
    let file = path.display().to_string();
    let archive = ProviderArchive::try_load_file(path)?;
    let proof = archive.verify(&file, &Trust::Any, SystemTime::now())?;
    let allowance = Allowance::new(proof.metadata().needs.as_ref(), None).map_err(|error| bad_needs(&file, &error))?;
    Ok(explain_packaged(proof.subject(), &file, proof.metadata(), &allowance))
}

/// What is stated that no host would take.
pub(super) fn bad_needs(what: &str, error: &AllowanceError) -> Failure {
    let next = "correct it; docs/providers.md says how needs are written";
    Failure::new(Exit::Usage, "bad_needs", format!("{what}: {error}"), next)
}

fn text(report: &ExplainReport, output: &Output) -> String {
    let mut sheet = Sheet::default();
    sheet.row("provider", &report.id).row("name", &report.name).row("contract", &report.contract);
    sheet.row("from", &report.image);
    match &report.needs {
        None => sheet.row("needs", "its archive states nothing"),
        Some(needs) => list(&mut sheet, "needs", needs),
    };
    match &report.grants {
        None if report.running.is_some() => sheet.row("granted", "no grants"),
        None => &mut sheet,
        Some(grants) => list(&mut sheet, "granted", grants),
    };
    list(&mut sheet, "gets", &report.effective);
    if let Some(running) = &report.running {
        process(&mut sheet, running);
    }
    sheet.render(output)
}

fn list<'a>(sheet: &'a mut Sheet, name: &'static str, lines: &[AuthorityReport]) -> &'a mut Sheet {
    if lines.is_empty() {
        return sheet.row(name, "nothing");
    }
    for AuthorityReport { kind, what, why } in lines {
        let why = if why.is_empty() { String::new() } else { format!("  ({why})") };
        sheet.row(name, format!("{kind}  {what}{why}"));
    }
    sheet
}

fn process(sheet: &mut Sheet, running: &RunningReport) {
    let RunningReport { link, state, why, pid, uid, listening, sandbox, unconfined, limits, control_group } = running;
    for address in listening {
        sheet.cell("listens on", Cell::styled(address, Style::Good));
    }
    let state = why.as_ref().map_or_else(|| state.clone(), |why| format!("{state}: {why}"));
    sheet.row("link name", link).row("state", state).cell("pid", Cell::maybe(*pid));
    sheet.row("user", uid.map_or_else(|| "the host's".to_owned(), |uid| uid.to_string()));
    let confined = match &**unconfined {
        [] => Cell::styled(format!("{sandbox}, full"), Style::Good),
        missing => Cell::styled(format!("{sandbox}, without {}", missing.join(", ")), Style::Bad),
    };
    sheet.cell("sandbox", confined);
    let LimitsReport { memory_bytes, threads, files, file_bytes, cpu_s, calls } = limits;
    sheet.row("memory", size(*memory_bytes)).row("threads", threads).row("descriptors", files);
    sheet.row("size of a file", size(*file_bytes)).maybe("cpu seconds", *cpu_s).row("calls at once", calls);
    match control_group {
        None => sheet.row("in all", "no control group"),
        Some(GroupReport { memory_bytes, tasks, cpus_milli }) => {
            let cpus = cpus_milli.map_or_else(|| "any".to_owned(), |milli| (f64::from(milli) / 1000.0).to_string());
            let (memory, all) = (size(*memory_bytes), "with all that is held for it");
            sheet.row("in all", format!("{memory} of memory {all}, {tasks} tasks, {cpus} processors"))
        }
    };
}

/// Bytes in the largest unit that leaves a whole number.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}
