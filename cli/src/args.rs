//! The command line as clap reads it. What the flags mean is in the modules of the commands.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::commands::{audit, call, claims, crashes, doctor, explain, inspect, keys, par, provider, ps, registry, run};
use crate::output::OutputFormat;

/// A capability broker: signed WebAssembly actors, and providers in processes of their own.
#[derive(Debug, Parser)]
#[command(name = "cofferdam", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How results and errors are written
    #[arg(short = 'o', long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<run::RunArgs>),
    Call(call::CallArgs),
    Ps(ps::PsArgs),
    Explain(explain::ExplainArgs),
    Provider(provider::ProviderArgs),
    Doctor(doctor::DoctorArgs),
    Crashes(crashes::CrashesArgs),
    Audit(audit::AuditArgs),
    Keys(keys::KeysArgs),
    Claims(claims::ClaimsArgs),
    Par(par::ParArgs),
    Pull(registry::PullArgs),
    Push(registry::PushArgs),
    Inspect(inspect::InspectArgs),
}

const AFTER_HELP: &str = "\
Example:
  cofferdam run -m manifest.yaml &
  cofferdam ps

Exit codes: 0 done, 1 failed, 2 usage or bad file, 3 refused, 4 no host, 5 too late, 70 our bug.
Output that cannot be written is a failure (1); a reader that closes its pipe, such as head, is none.";

/// The output format of a command line that could not be read, so that its error has the shape that was asked for.
pub(crate) fn format_wanted(args: impl IntoIterator<Item = OsString>) -> OutputFormat {
    let args: Vec<OsString> = args.into_iter().take_while(|arg| arg != "--").collect();
    let joined = args.iter().any(|arg| ["-ojson", "-o=json", "--output=json"].iter().any(|form| arg == form));
    let apart = args.windows(2).any(|pair| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json");
    if joined || apart { OutputFormat::Json } else { OutputFormat::Text }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_format_is_found_in_a_wrong_command_line() {
        let cases: [(&[&str], OutputFormat); 6] = [
            (&["ps", "-o", "json"], OutputFormat::Json),
            (&["-ojson", "nonsense"], OutputFormat::Json),
            (&["--output=json"], OutputFormat::Json),
            (&["--output", "text"], OutputFormat::Text),
            (&["call", "--", "-o", "json"], OutputFormat::Text),
            (&[], OutputFormat::Text),
        ];
        for (args, format) in cases {
            assert_eq!(format_wanted(args.iter().map(OsString::from)), format, "{args:?}");
        }
    }
}
