//! `cofferdam claims`: who an actor is and what it may do, signed into its module.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cofferdam_claims::{ActorClaims, KeyKind, inspect_actor, load_seed, read_module, sign_actor, verify_actor};
use serde_json::json;

use super::inspect::{actor, report};
use super::signing::{TrustArgs, ValidityArgs};
use crate::failure::Failure;
use crate::inputs;
use crate::output::Output;
use crate::table::Sheet;

/// Sign actors and look at their claims
#[derive(Debug, clap::Args)]
pub(crate) struct ClaimsArgs {
    #[command(subcommand)]
    command: ClaimsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ClaimsCommand {
    Sign(Box<SignArgs>),
    Inspect(ModuleArgs),
    Verify(ModuleArgs),
}

/// Sign a module: an account vouches that it is this actor, with these capabilities
#[derive(Debug, clap::Args)]
#[command(after_help = SIGN_HELP)]
struct SignArgs {
    /// The module, signed before or not
    module_file: PathBuf,
    /// The seed file of the account that signs
    #[arg(long, value_name = "KEYFILE")]
    issuer: PathBuf,
    /// The seed file of the actor
    #[arg(long, value_name = "KEYFILE", visible_alias = "subject")]
    module: PathBuf,
    /// The name for people
    #[arg(long)]
    name: String,
    /// A contract that the actor may call, such as wasmcloud:keyvalue; repeat it for more
    #[arg(long = "cap", value_name = "CONTRACT", value_parser = inputs::contract)]
    caps: Vec<String>,
    /// The revision; a live update needs a greater one
    #[arg(long, value_name = "NUMBER")]
    rev: Option<i32>,
    /// The version for people
    #[arg(long, value_name = "TEXT")]
    ver: Option<String>,
    /// A name by which other actors can call this one
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// A free word; repeat it for more
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,
    #[command(flatten)]
    validity: ValidityArgs,
    /// Where the signed module goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Show or check the claims of a module
#[derive(Debug, clap::Args)]
#[command(after_help = MODULE_HELP)]
struct ModuleArgs {
    /// The signed module
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

const SIGN_HELP: &str = "\
Example:
  cofferdam claims sign echo.wasm --issuer issuer.nk --module echo.nk --name Echo \\
      --cap wasmcloud:httpserver --rev 1 --ver 1.0.0 --out echo_s.wasm";

const MODULE_HELP: &str = "\
`inspect` shows every check and succeeds; `verify` fails (exit code 3) when one of them does.

Example:
  cofferdam claims verify echo_s.wasm --trust ACCOUNT";

pub(crate) fn execute(args: ClaimsArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        ClaimsCommand::Sign(args) => sign(*args, output),
        ClaimsCommand::Inspect(args) => inspect(&args, output),
        ClaimsCommand::Verify(args) => verify(&args, output),
    }
}

fn sign(args: SignArgs, output: &Output) -> Result<(), Failure> {
    let wasm = read_module(&args.module_file)?;
    let issuer = load_seed(KeyKind::Account, &args.issuer)?;
    let module = load_seed(KeyKind::Actor, &args.module)?;
    let validity = args.validity.validity()?;
    let request = ActorClaims {
        name: args.name,
        caps: args.caps,
        tags: args.tags,
        rev: args.rev,
        ver: args.ver,
        call_alias: args.alias,
        prov: false,
        expires: validity.expires,
        not_before: validity.not_before,
        issued_at: validity.issued_at,
    };
    let signed = sign_actor(&shown(&args.module_file), &wasm, request, &issuer, &module)?;
    inputs::replace_file(&args.out, &signed)?;
    let (subject, issuer, file) = (module.public_key(), issuer.public_key(), shown(&args.out));
    output.result(&json!({"file": file, "subject": subject, "issuer": issuer}), || {
        let mut sheet = Sheet::default();
        sheet.row("signed", &file).row("actor", &subject).row("issuer", &issuer);
        sheet.render(output)
    })
}

fn inspect(args: &ModuleArgs, output: &Output) -> Result<(), Failure> {
    let wasm = read_module(&args.file)?;
    let file = shown(&args.file);
    let inspection = inspect_actor(&file, &wasm, &args.trust.trust()?, SystemTime::now())?;
    report(&actor(&file, &inspection), output)
}

fn verify(args: &ModuleArgs, output: &Output) -> Result<(), Failure> {
    let wasm = read_module(&args.file)?;
    let (file, trust) = (shown(&args.file), args.trust.trust()?);
    let verified = verify_actor(&file, &wasm, &trust, SystemTime::now())?;
    super::inspect::verified(&file, verified.subject(), verified.issuer(), &trust, output)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
