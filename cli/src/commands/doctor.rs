//! `cofferdam doctor`: what this machine can enforce, and how to get the rest.

use std::path::PathBuf;

use cofferdam_host::{Diagnosis, diagnose};

use crate::failure::{Exit, Failure};
use crate::output::{Output, Style};
use crate::table::{Cell, Table};

/// Tell what of the sandbox this machine can enforce, and how to get the rest
///
/// Starts a shim that confines itself as a provider's would, with nothing to load. Exits with 0 when providers are
/// started here, with 1 when they are only with `--sandbox best-effort`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DoctorArgs {
    /// The program that confines providers [env: COFFERDAM_SHIM] [default: cofferdam-shim beside this program]
    #[arg(long, value_name = "PATH")]
    shim: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam doctor
  sudo -u service cofferdam doctor -o json";

pub(crate) fn execute(args: &DoctorArgs, output: &Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        let message = format!("cannot start the runtime: {error}");
        Failure::new(Exit::Failed, "system", message, "check the limits on threads and descriptors")
    })?;
    let diagnosis = runtime.block_on(diagnose(args.shim.as_deref()))?;
    output.result(&diagnosis, || text(&diagnosis, output))?;
    if diagnosis.sufficient {
        return Ok(());
    }
    let message = "this machine can't enforce all that a provider needs to be started";
    let next = "get what is missing, or accept it by `cofferdam run --sandbox best-effort`";
    Err(Failure::new(Exit::Failed, "sandbox", message, next))
}

fn text(diagnosis: &Diagnosis, output: &Output) -> String {
    let Diagnosis { kernel, uid, shim, sufficient, measures, control_groups, complaints } = diagnosis;
    let user = if *uid == 0 { "root".to_owned() } else { format!("user {uid}") };
    let mut text = crate::output::plain(&format!("kernel {kernel}, as {user}, shim {shim}\n\n"));
    let mut table = Table::new(["MEASURE", "IN FORCE", "NEEDED"]);
    for measure in measures {
        let needed = if measure.optional { "optional" } else { "yes" };
        let in_force = match (measure.in_force, measure.optional) {
            (true, _) => Cell::styled("yes", Style::Good),
            (false, true) => Cell::styled("no", Style::Busy),
            (false, false) => Cell::styled("no", Style::Bad),
        };
        table.row([
            Cell::new(measure.measure),
            in_force,
            Cell::new(needed),
            Cell::new(measure.how_to_get_it.as_deref().unwrap_or("")),
        ]);
    }
    text.push_str(&table.render(output));
    let missing: Vec<_> =
        measures.iter().filter_map(|measure| Some((measure.measure, measure.how_to_get_it.as_deref()?))).collect();
    if !missing.is_empty() {
        text.push_str("\nhow to get the rest:\n");
        for (measure, advice) in missing {
            text.push_str(&format!("  {measure}: {advice}\n"));
        }
    }
    if let Some(kind) = control_groups {
        text.push_str(&format!("\ncontrol groups: {kind}\n"));
    }
    if !complaints.is_empty() {
        text.push_str("\nthe shim said:\n");
        for complaint in complaints {
            text.push_str(&crate::output::plain(&format!("  {complaint}\n")));
        }
    }
    text.push_str(if *sufficient { "\nproviders are started here, fully confined\n" } else { "" });
    text
}
