//! The `cofferdam` command: runs a host, asks a running one, and makes and looks at what it runs.
//!
//! Results go to stdout, everything else to stderr. No output ever holds a seed (but the one that `keys gen` was asked to
//! print), a link's value or a payload that was not asked for. The exit code says what became of it: 0 done, 1 failed,
//! 2 usage or bad file, 3 refused, 4 no host, 5 too late, 70 our bug. A result that cannot be written to stdout is a
//! failure; a pipe that its reader has closed is not.
//!
//! Start reading at `args.rs`; each command is a module of `commands`.

#![forbid(unsafe_code)]

mod args;
mod bug;
mod commands;
mod connect;
mod failure;
mod inputs;
mod message;
mod output;
mod table;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use failure::Failure;
use output::{Output, OutputFormat};

fn main() -> ExitCode {
    bug::install_hook();
    bug::guard(|| {
        let cli = match Cli::try_parse() {
            Ok(cli) => cli,
            Err(error) => return unparsed(&error),
        };
        let output = Output::new(cli.output);
        match execute(cli.command, &output) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failed(&output, &failure),
        }
    })
}

fn execute(command: Command, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Run(args) => commands::run::execute(*args, output),
        Command::Crashes(args) => commands::crashes::execute(&args, output),
        Command::Call(args) => commands::call::execute(args, output),
        Command::Audit(args) => commands::audit::execute(args, output),
        Command::Keys(args) => commands::keys::execute(args, output),
        Command::Claims(args) => commands::claims::execute(args, output),
        Command::Par(args) => commands::par::execute(args, output),
        Command::Pull(args) => commands::registry::pull(&args, output),
        Command::Push(args) => commands::registry::push(&args, output),
        Command::Inspect(args) => commands::inspect::execute(&args, output),
        Command::Doctor(args) => commands::doctor::execute(&args, output),
        Command::Ps(args) => commands::ps::execute(&args, output),
        Command::Explain(args) => commands::explain::execute(args, output),
        Command::Provider(args) => commands::provider::execute(args, output),
    }
}

fn failed(output: &Output, failure: &Failure) -> ExitCode {
    output.error(failure);
    failure.exit.into()
}

/// Help and version are no errors; a wrong usage is told by clap, or in one line for programs.
fn unparsed(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match output::written(error.print().and_then(|()| std::io::stdout().flush())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failed(&Output::new(args::format_wanted(std::env::args_os())), &failure),
        };
    }
    let format = args::format_wanted(std::env::args_os());
    if format == OutputFormat::Text {
        let _ = error.print();
        return failure::Exit::Usage.into();
    }
    failed(&Output::new(format), &Failure::usage(error))
}
