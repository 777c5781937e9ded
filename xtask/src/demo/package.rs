//! Signs the guests and packs the providers with development keys: `cofferdam keys`, `claims` and `par`, as a person
//! would. The keys are made once for a clone and kept under `target/demo/keys`; they never leave it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Built;
use crate::Failure;
use crate::command::program;

/// The account that signs everything.
const ISSUER: &str = "issuer";

/// Each actor of the demo with what it claims.
const ACTORS: &[(&str, &[&str])] =
    &[("kvcounter", &["wasmcloud:httpserver", "wasmcloud:keyvalue"]), ("echo", &["wasmcloud:httpserver"])];

/// Each provider of the demo with what it serves.
const PROVIDERS: &[(&str, &str)] =
    &[("httpserver", "wasmcloud:httpserver"), ("keyvalue", "wasmcloud:keyvalue"), ("logging", "wasmcloud:logging")];

/// Signed actors and archives in a folder, and whose they are.
pub(super) struct Signed {
    folder: PathBuf,
    /// By the name of the actor, the provider, or [`ISSUER`].
    public_keys: BTreeMap<&'static str, String>,
}

/// Makes the keys that are missing, then signs and packs everything into `folder`.
pub(super) fn all(root: &Path, built: &Built, folder: &Path) -> Result<Signed, Failure> {
    let keys = Keys { cofferdam: built.cofferdam(), folder: built.demo().join("keys") };
    for folder in [&keys.folder, folder] {
        fs::create_dir_all(folder).map_err(|error| format!("could not create {}: {error}", folder.display()))?;
    }
    let issuer = keys.seed("account", ISSUER)?;
    let mut signed = Signed { folder: folder.to_owned(), public_keys: BTreeMap::new() };
    for (name, claims) in ACTORS {
        let module = shown(&root.join("tests/guests/built").join(format!("{name}.wasm")));
        let (seed, out) = (keys.seed("actor", name)?, shown(&folder.join(format!("{name}.wasm"))));
        let mut args = vec!["claims", "sign", &module, "--issuer", &issuer, "--module", &seed, "--name", name];
        args.extend(claims.iter().flat_map(|claim| ["--cap", claim]));
        args.extend(["--rev", "1", "--ver", env!("CARGO_PKG_VERSION"), "--out", &out]);
        signed.enter(name, &keys.make(&args)?)?;
    }
    for (name, contract) in PROVIDERS {
        let library = shown(&built.folder.join(format!("libcofferdam_{name}.so")));
        let (seed, out) = (keys.seed("provider", name)?, shown(&folder.join(format!("{name}.par.gz"))));
        let mut args = vec!["par", "create", "--issuer", &issuer, "--subject", &seed, "--capid", contract];
        args.extend(["--name", name, "--vendor", "cofferdam", "--rev", "1", "--ver", env!("CARGO_PKG_VERSION")]);
        let needs = shown(&root.join("providers").join(name).join("needs.json"));
        args.extend(["--needs", &needs, "--lib", &library, "--out", &out]);
        signed.enter(name, &keys.make(&args)?)?;
    }
    Ok(signed)
}

impl Signed {
    /// The public key of an actor or provider of this module's tables.
    pub(super) fn public_key(&self, name: &str) -> &str {
        &self.public_keys[name]
    }

    /// Where it all is, and whose: the variables of the manifest.
    pub(super) fn variables(&self) -> Vec<(String, OsString)> {
        let keys = self.public_keys.iter();
        let mut variables: Vec<(String, OsString)> =
            keys.map(|(name, key)| (format!("DEMO_{}", name.to_ascii_uppercase()), key.into())).collect();
        variables.push(("DEMO_DIR".to_owned(), self.folder.clone().into()));
        variables
    }

    /// Takes the public keys from what `claims sign` or `par create` said.
    fn enter(&mut self, name: &'static str, said: &Value) -> Result<(), Failure> {
        for (name, field) in [(name, "subject"), (ISSUER, "issuer")] {
            let key = said[field].as_str().ok_or_else(|| format!("`cofferdam` named no {field} of {name}: {said}"))?;
            self.public_keys.insert(name, key.to_owned());
        }
        Ok(())
    }
}

struct Keys {
    cofferdam: String,
    folder: PathBuf,
}

impl Keys {
    /// The file of a seed, made if there is none.
    fn seed(&self, kind: &str, name: &str) -> Result<String, Failure> {
        let file = self.folder.join(format!("{name}.nk"));
        if !file.exists() {
            program(&self.cofferdam, ["keys", "gen", kind, "--out", &shown(&file)]).capture()?;
        }
        Ok(shown(&file))
    }

    fn make(&self, args: &[&str]) -> Result<Value, Failure> {
        let advice = format!("if a key is at fault, remove {} and try again", self.folder.display());
        let said = program(&self.cofferdam, ["-o", "json"].iter().chain(args).copied()).advice(&advice).capture()?;
        serde_json::from_str(&said)
            .map_err(|error| Failure::new(format!("`cofferdam {}` printed no JSON: {error}", args[..2].join(" "))))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
