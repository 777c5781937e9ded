//! What the reference's command line has and this version has not: the lattice and live updates. Such a flag or variable is
//! an error that says so; a host that ignored it would run alone while its operator believes it does not.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::failure::{Exit, Failure};

/// Flags of the reference, known and refused. They are not in the help, because they do nothing.
#[derive(Debug, clap::Args)]
pub(super) struct LaterArgs {
    #[arg(long, hide = true)]
    rpc_host: Option<String>,
    #[arg(long, hide = true)]
    rpc_port: Option<String>,
    #[arg(long, hide = true)]
    rpc_jwt: Option<String>,
    #[arg(long, hide = true)]
    rpc_seed: Option<String>,
    #[arg(long, hide = true)]
    rpc_credsfile: Option<String>,
    #[arg(long, hide = true)]
    control_host: Option<String>,
    #[arg(long, hide = true)]
    control_port: Option<String>,
    #[arg(long, hide = true)]
    control_jwt: Option<String>,
    #[arg(long, hide = true)]
    control_seed: Option<String>,
    #[arg(long, hide = true)]
    control_credsfile: Option<String>,
    #[arg(long, hide = true)]
    allow_live_updates: bool,
    #[arg(long, hide = true)]
    disable_strict_update_check: bool,
}

const LATTICE: &str = "the lattice";
const UPDATES: &str = "live updates";

/// The reference reads these when the flag is not given.
const VARIABLES: [&str; 10] = [
    "RPC_HOST",
    "RPC_PORT",
    "RPC_JWT",
    "RPC_SEED",
    "RPC_CREDS",
    "CONTROL_HOST",
    "CONTROL_PORT",
    "CONTROL_JWT",
    "CONTROL_SEED",
    "CONTROL_CREDS",
];

impl LaterArgs {
    /// Fails when any of them was given. The value is not looked at, nor told: it may be a secret.
    pub(super) fn refuse(&self, environment: &BTreeMap<String, OsString>) -> Result<(), Failure> {
        let flags = [
            ("--rpc-host", self.rpc_host.is_some(), LATTICE),
            ("--rpc-port", self.rpc_port.is_some(), LATTICE),
            ("--rpc-jwt", self.rpc_jwt.is_some(), LATTICE),
            ("--rpc-seed", self.rpc_seed.is_some(), LATTICE),
            ("--rpc-credsfile", self.rpc_credsfile.is_some(), LATTICE),
            ("--control-host", self.control_host.is_some(), LATTICE),
            ("--control-port", self.control_port.is_some(), LATTICE),
            ("--control-jwt", self.control_jwt.is_some(), LATTICE),
            ("--control-seed", self.control_seed.is_some(), LATTICE),
            ("--control-credsfile", self.control_credsfile.is_some(), LATTICE),
            ("--allow-live-updates", self.allow_live_updates, UPDATES),
            ("--disable-strict-update-check", self.disable_strict_update_check, UPDATES),
        ];
        if let Some((flag, _, part)) = flags.into_iter().find(|(_, given, _)| *given) {
            return Err(refused(flag, part, "leave it out"));
        }
        let is_set = |name: &&&str| environment.get(**name).is_some_and(|value| !value.is_empty());
        match VARIABLES.iter().find(is_set) {
            Some(variable) => Err(refused(&format!("the variable {variable}"), LATTICE, "unset it")),
            None => Ok(()),
        }
    }
}

fn refused(what: &str, part: &str, next: &str) -> Failure {
    let message =
        format!("{what} is for {part}, which a later version brings; this one refuses it rather than ignore it");
    Failure::new(Exit::Usage, "not_in_this_version", message, next)
}
