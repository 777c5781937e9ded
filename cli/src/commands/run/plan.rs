//! Which host to run: flag, then variable, then manifest, then default. Pure.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cofferdam_claims::{Accounts, Trust};
use cofferdam_host::control::paths::Place;
use cofferdam_host::manifest::HostSection;
use cofferdam_host::{HostBuilder, Sandbox};

use super::RunArgs;
use crate::commands::registry::cache_of;
use crate::connect::{NAMESPACE, namespace_of};
use crate::failure::{Exit, Failure};

/// A host's settings, decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    namespace: String,
    socket: PathBuf,
    state_dir: PathBuf,
    trust: Trust,
    unmetered: Accounts,
    labels: Vec<(String, String)>,
    shim: Option<PathBuf>,
    sandbox: Sandbox,
    registries: Registries,
}

/// How registries are used. A manifest has no say in it.
#[derive(Debug, PartialEq, Eq)]
struct Registries {
    latest: bool,
    insecure: Vec<String>,
    cache: Option<PathBuf>,
    authorities: Option<PathBuf>,
}

impl Plan {
    pub(super) fn new(
        args: &RunArgs,
        manifest: &HostSection,
        environment: &BTreeMap<String, OsString>,
        uid: u32,
    ) -> Result<Self, Failure> {
        let namespace = namespace_of(args.namespace.as_deref(), environment);
        let namespace = namespace.or_else(|| manifest.namespace.clone()).unwrap_or_else(|| NAMESPACE.to_owned());
        let place = Place { namespace: &namespace, environment, uid };
        let socket = place.socket(args.socket.as_deref())?;
        let state_dir = place.state_dir(args.state_dir.as_deref(), manifest.state_dir.as_deref())?;
        let trust = trust(&args.trust, environment, &manifest.trust)?;
        let unmetered = unmetered(&args.unmetered_issuers, environment, &manifest.unmetered_issuers)?;
        let sandbox = sandbox(args.sandbox, environment)?;
        let (labels, shim) = (args.labels.clone(), args.shim.clone());
        let registries = Registries {
            latest: args.registry.allow_oci_latest,
            insecure: args.allowed_insecure.clone(),
            cache: cache_of(args.registry_cache.as_deref(), environment),
            authorities: args.registry.authorities(environment),
        };
        Ok(Self { namespace, socket, state_dir, trust, unmetered, labels, shim, sandbox, registries })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn builder(&self) -> HostBuilder {
        let mut builder = HostBuilder::new()
            .with_namespace(&self.namespace)
            .with_socket(&self.socket)
            .with_state_dir(&self.state_dir)
            .with_trust(self.trust.clone())
            .with_unmetered_issuers(self.unmetered.clone())
            .with_sandbox(self.sandbox);
        for (name, value) in &self.labels {
            builder = builder.with_label(name, value);
        }
        let builder = self.registries.tell(builder);
        match &self.shim {
            Some(shim) => builder.with_shim(shim),
            None => builder,
        }
    }
}

impl Registries {
    fn tell(&self, builder: HostBuilder) -> HostBuilder {
        let mut builder = builder.oci_allow_insecure(self.insecure.clone());
        if self.latest {
            builder = builder.oci_allow_latest();
        }
        if let Some(cache) = &self.cache {
            builder = builder.with_registry_cache(cache);
        }
        match &self.authorities {
            Some(authorities) => builder.with_registry_authorities(authorities),
            None => builder,
        }
    }
}

/// Splits `KEY=VALUE`, for clap.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("give KEY=VALUE".to_owned()),
    }
}

/// A manifest has no say in it.
fn sandbox(flag: Option<Sandbox>, environment: &BTreeMap<String, OsString>) -> Result<Sandbox, Failure> {
    let variable = environment.get("COFFERDAM_SANDBOX").map(|value| value.to_string_lossy());
    match (flag, variable.as_deref()) {
        (Some(flag), _) => Ok(flag),
        (None, None | Some("")) => Ok(Sandbox::default()),
        (None, Some(word)) => word.parse().map_err(|expected| {
            let message = format!("COFFERDAM_SANDBOX is {word:?}, which is no level of the sandbox");
            Failure::new(Exit::Usage, "usage", message, expected)
        }),
    }
}

/// Where accounts are named: by a flag, else by a variable, else in the manifest.
struct Named<'a> {
    flag: (&'a str, &'a [String]),
    variable: &'a str,
    manifest: (&'a str, &'a [String]),
}

impl Named<'_> {
    /// The first place that names anybody decides alone: whoever names issuers on the command line means these and no
    /// others.
    fn accounts(&self, environment: &BTreeMap<String, OsString>) -> Result<Accounts, Failure> {
        let variable = environment.get(self.variable).map(|value| value.to_string_lossy().into_owned());
        let variable: Vec<String> = variable
            .iter()
            .flat_map(|accounts| accounts.split(','))
            .map(|account| account.trim().to_owned())
            .filter(|account| !account.is_empty())
            .collect();
        let places = [self.flag, (self.variable, &*variable), self.manifest];
        let Some((place, accounts)) = places.into_iter().find(|(_, accounts)| !accounts.is_empty()) else {
            return Ok(Accounts::default());
        };
        Accounts::new(accounts.iter().cloned()).map_err(|error| {
            let mut failure = Failure::from(error);
            failure.report.message = format!("{place}: {}", failure.report.message);
            failure
        })
    }
}

fn trust(flags: &[String], environment: &BTreeMap<String, OsString>, manifest: &[String]) -> Result<Trust, Failure> {
    let (flag, manifest) = (("--trust", flags), ("host.trust", manifest));
    let accounts = Named { flag, variable: "COFFERDAM_TRUST", manifest }.accounts(environment)?;
    if accounts.is_empty() { Ok(Trust::Any) } else { Ok(accounts.into()) }
}

fn unmetered(
    flags: &[String],
    environment: &BTreeMap<String, OsString>,
    manifest: &[String],
) -> Result<Accounts, Failure> {
    let (flag, manifest) = (("--unmetered-issuer", flags), ("host.unmetered_issuers", manifest));
    Named { flag, variable: "COFFERDAM_UNMETERED_ISSUER", manifest }.accounts(environment)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    const ONE: &str = "AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCT";
    const OTHER: &str = "ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW";

    fn plan(flags: &[&str], variables: &[(&str, &str)], manifest: &HostSection) -> Result<Plan, Failure> {
        let cli = Cli::try_parse_from([&["cofferdam", "run"], flags].concat()).expect("a good command line");
        let Command::Run(args) = cli.command else { panic!("not run") };
        let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(v))).collect();
        Plan::new(&args, manifest, &environment, 0)
    }

    fn manifest() -> HostSection {
        let (namespace, state_dir) = (Some("of-manifest".to_owned()), Some("/m".into()));
        let unmetered_issuers = vec![ONE.to_owned()];
        HostSection { namespace, trust: vec![ONE.to_owned()], unmetered_issuers, state_dir }
    }

    #[test]
    fn flags_win_over_variables_over_the_manifest_over_defaults() {
        let variables = [("COFFERDAM_NAMESPACE", "of-variable"), ("COFFERDAM_TRUST", &*format!("{OTHER}, {ONE}"))];
        let default = plan(&[], &[], &HostSection::default()).expect("defaults");
        assert_eq!((default.namespace(), &default.trust), ("default", &Trust::Any));
        let from_manifest = plan(&[], &[], &manifest()).expect("a manifest");
        assert_eq!(from_manifest.namespace(), "of-manifest");
        assert_eq!(from_manifest.socket(), Path::new("/run/cofferdam/of-manifest.sock"));
        assert_eq!(from_manifest.state_dir, Path::new("/m"));
        assert_eq!(from_manifest.trust, Trust::only([ONE]).expect("an account"));
        let from_variables = plan(&[], &variables, &manifest()).expect("variables");
        assert_eq!(from_variables.namespace(), "of-variable");
        assert_eq!(from_variables.trust, Trust::only([ONE, OTHER]).expect("accounts"));
        let flags = ["--nsprefix", "of-flag", "--trust", OTHER, "--state-dir", "s", "-l", "a=b", "--label", "c=d=e"];
        let from_flags = plan(&flags, &variables, &manifest()).expect("flags");
        assert_eq!(from_flags.namespace(), "of-flag");
        assert_eq!(from_flags.trust, Trust::only([OTHER]).expect("an account"));
        assert_eq!(from_flags.state_dir, Path::new("s"));
        assert_eq!(from_flags.labels, [("a".into(), "b".into()), ("c".into(), "d=e".into())]);
    }

    #[test]
    fn the_sandbox_is_required_unless_a_person_says_otherwise() {
        let level = |flags: &[&str], variable: Option<&str>| {
            let variables: Vec<_> = variable.map(|word| ("COFFERDAM_SANDBOX", word)).into_iter().collect();
            plan(flags, &variables, &manifest()).map(|plan| plan.sandbox)
        };
        assert_eq!(level(&[], None).expect("the default"), Sandbox::Required);
        assert_eq!(level(&[], Some("off")).expect("a variable"), Sandbox::Off);
        assert_eq!(level(&["--sandbox", "best-effort"], Some("off")).expect("a flag"), Sandbox::BestEffort);
        assert_eq!(level(&[], Some("none")).expect_err("no level").report.kind, "usage");
        assert!(Cli::try_parse_from(["cofferdam", "run", "--sandbox", "none"]).is_err());
    }

    #[test]
    fn what_is_trusted_must_be_an_account() {
        for trusted in ["", ",", " "] {
            let plan = plan(&[], &[("COFFERDAM_TRUST", trusted)], &HostSection::default()).expect("nobody named");
            assert_eq!(plan.trust, Trust::Any);
        }
        const ACTOR: &str = "MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY2";
        let wrong = plan(&["--trust", ACTOR], &[], &manifest());
        assert_eq!(wrong.expect_err("an actor's key").report.kind, "key");
    }

    #[test]
    fn all_actors_are_metered_but_those_of_named_issuers() {
        let issuers = |flags: &[&str], variable: &str, manifest: &HostSection| {
            plan(flags, &[("COFFERDAM_UNMETERED_ISSUER", variable)], manifest).map(|plan| plan.unmetered)
        };
        let none = HostSection::default();
        let (one, both) = (Accounts::new([ONE]).expect("an account"), Accounts::new([ONE, OTHER]).expect("accounts"));
        let other = Accounts::new([OTHER]).expect("an account");
        let (flag, twice) = (["--unmetered-issuer", OTHER], ["--unmetered-issuer", OTHER, "--unmetered-issuer", ONE]);
        for (flags, variable, manifest, expected) in [
            (&[][..], " , ", &none, &Accounts::default()),
            (&[], "", &manifest(), &one),
            (&[], &*format!("{OTHER}, {ONE}"), &none, &both),
            (&flag, ONE, &manifest(), &other),
            (&twice, "", &none, &both),
        ] {
            assert_eq!(issuers(flags, variable, manifest).expect("accounts"), *expected, "{flags:?} {variable:?}");
        }
        let letter = format!("{}A", &ONE[..55]);
        for (flags, variable, says) in [
            (&["--unmetered-issuer", &*letter][..], "", "--unmetered-issuer: "),
            (&[], &*letter, "COFFERDAM_UNMETERED_ISSUER: "),
        ] {
            let report = issuers(flags, variable, &none).expect_err("a wrong letter").report;
            let expected = format!("{says}{letter:?} is not a public key: its checksum or prefix is wrong");
            assert_eq!((&*report.kind, &report.message), ("key", &expected));
            assert!(report.next.contains("copy the key again"), "{}", report.next);
        }
    }
}
