//! `cofferdam crashes`: how processes of providers died. Reads the state directory, so it needs no running host.

use std::path::PathBuf;

use cofferdam_host::crash::{CrashReport, Reports, StoreError, page};
use serde::Serialize;

use crate::connect::state_dir;
use crate::failure::{Exit, Failure};
use crate::output::{Output, plain};
use crate::table::{Cell, Table};

/// Show how processes of providers died
///
/// Reads the host's state directory; the host need not run. What a report says of faults, names and output is the
/// provider's own word. Memory and the values of links are in none, and payloads only in those of providers
/// for which the manifest asks for them (crash_reports).
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CrashesArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Which state directory is meant.
#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// The host's state directory [env: COFFERDAM_STATE_DIR] [default: that of the running host, else
    /// NAMESPACE in /var/lib/cofferdam for root, else in
    /// $XDG_STATE_HOME/cofferdam or ~/.local/state/cofferdam]
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,
    /// The host's namespace [env: COFFERDAM_NAMESPACE] [default: default]
    #[arg(long, visible_alias = "nsprefix", value_name = "NAME", global = true)]
    namespace: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the reports, the latest first; the default
    #[command(after_help = AFTER_HELP)]
    List,
    /// Show one report
    #[command(after_help = AFTER_HELP)]
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Its name, as `list` shows it [default: the latest]
    id: Option<String>,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam crashes
  cofferdam crashes show
  cofferdam crashes show -o json";

/// One row of the list.
#[derive(Serialize)]
struct Row {
    id: String,
    at: String,
    provider: String,
    link: String,
    generation: u64,
    cause: String,
}

pub(crate) fn execute(args: &CrashesArgs, output: &Output) -> Result<(), Failure> {
    let reports = args.place.reports()?;
    match &args.what {
        None | Some(What::List) => list(&reports, output),
        Some(What::Show(which)) => {
            let report = reports.read(&which.id(&reports)?)?;
            output.result(&report, || plain(&page(&report)))
        }
    }
}

impl PlaceArgs {
    fn reports(&self) -> Result<Reports, Failure> {
        Ok(Reports::of(&state_dir(self.state_dir.as_deref(), self.namespace.as_deref())?))
    }
}

impl ShowArgs {
    fn id(&self, reports: &Reports) -> Result<String, Failure> {
        match &self.id {
            Some(id) => Ok(id.clone()),
            None => reports.list()?.pop().ok_or_else(|| {
                let message = format!("there is no crash report in {}", reports.folder().display());
                Failure::new(Exit::Failed, "no_crash", message, "name another host by --namespace or --state-dir")
            }),
        }
    }
}

fn list(reports: &Reports, output: &Output) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for id in reports.list()?.into_iter().rev() {
        match reports.read(&id) {
            Ok(CrashReport { id, at, provider, generation, cause, .. }) => {
                rows.push(Row { id, at, provider: provider.id, link: provider.link, generation, cause });
            }
            // It has just gone to make room for another.
            Err(StoreError::Unknown { .. }) => {}
            Err(error) => output.note(&error.to_string()),
        }
    }
    output.result(&rows, || text(&rows, reports, output))
}

fn text(rows: &[Row], reports: &Reports, output: &Output) -> String {
    if rows.is_empty() {
        return plain(&format!("no crash report in {}\n", reports.folder().display()));
    }
    let mut table = Table::new(["ID", "AT", "PROVIDER", "LINK", "GEN", "CAUSE"]);
    for row in rows {
        table.row([
            Cell::new(&row.id),
            Cell::new(&row.at),
            Cell::new(&row.provider),
            Cell::new(&row.link),
            Cell::new(row.generation),
            Cell::new(&row.cause),
        ]);
    }
    table.render(output)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (exit, kind, next) = match &error {
            StoreError::Unknown { .. } => (Exit::Failed, "no_crash", "see `cofferdam crashes` for those there are"),
            StoreError::Malformed { .. } => (Exit::Usage, "crash_malformed", "read it with the version that wrote it"),
            StoreError::Io { source, .. } => (Exit::Usage, "file_unreadable", cofferdam_claims::unreadable(source)),
        };
        Self::new(exit, kind, error.to_string(), next)
    }
}
