//! `cofferdam keys`: identities. The seed is the secret; it is printed only when it is written nowhere else.

use std::path::PathBuf;

use cofferdam_claims::{KeyKind, save_seed};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::Sheet;

/// Make keys
#[derive(Debug, clap::Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    Gen(GenArgs),
}

/// Make a new key pair
///
/// An account (A…) signs, an actor (M…) or provider (V…) is signed, a host (N…) and an operator (O…) are identities.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
struct GenArgs {
    /// account, actor (or module), provider (or service), host (or server), operator
    kind: KeyKind,
    /// Write the seed to this new file, for its owner alone, and print only the public key
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam keys gen account --out issuer.nk";

#[derive(Serialize)]
struct Made<'a> {
    kind: String,
    public_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

pub(crate) fn execute(args: KeysArgs, output: &Output) -> Result<(), Failure> {
    let KeysCommand::Gen(args) = args.command;
    let pair = args.kind.generate();
    let public_key = pair.public_key();
    let kind = args.kind.to_string();
    if let Some(path) = args.out {
        save_seed(&pair, &path)?;
        let file = Some(path.display().to_string());
        let made = Made { kind, public_key: &public_key, seed: None, file };
        return output.result(&made, || format!("{public_key}\n"));
    }
    let seed = pair.seed().map_err(|_| {
        Failure::new(Exit::Bug, "internal", "a new key pair has no seed", "report this as a bug of cofferdam")
    })?;
    output.note(
        "warning: the seed is a secret. Whoever has it can sign as this key; --out FILE keeps it off the screen.",
    );
    output.result(&Made { kind, public_key: &public_key, seed: Some(&seed), file: None }, || {
        let mut sheet = Sheet::default();
        sheet.row("public key", &public_key).row("seed", &seed);
        sheet.render(output)
    })
}
