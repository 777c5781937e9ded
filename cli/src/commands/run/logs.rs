//! The host's log: on stderr, in the detail and the form that was asked for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::failure::{Exit, Failure};

/// What the compiler says of itself is for those who ask for it.
const FILTER: &str = "info,wasmer_compiler=warn,cranelift_codegen=warn";

/// How much is logged, and how.
#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// What is logged, such as debug or info,cofferdam_host=debug [env: COFFERDAM_LOG, RUST_LOG] [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// The form of the log on stderr
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Begins to log.
pub(super) fn start(args: &LogArgs, environment: &BTreeMap<String, OsString>) -> Result<(), Failure> {
    let variable = |name: &str| environment.get(name)?.to_str().filter(|value| !value.is_empty()).map(str::to_owned);
    let wanted = args.log.clone().or_else(|| variable("COFFERDAM_LOG")).or_else(|| variable("RUST_LOG"));
    let wanted = wanted.unwrap_or_else(|| FILTER.to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        let message = format!("{wanted:?} says not what to log: {error}");
        Failure::new(Exit::Usage, "usage", message, "give a level (error, warn, info, debug, trace), or TARGET=LEVEL")
    })?;
    let coloured = io::stderr().is_terminal() && variable("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(coloured);
    // A log that takes nothing (a full disk) costs lines and never the host: by default each lost line panics.
    let log = log.log_internal_errors(false);
    let started = match args.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| {
        let message = format!("the log cannot be started: {error}");
        Failure::new(Exit::Bug, "internal", message, "report this as a bug of cofferdam")
    })
}
