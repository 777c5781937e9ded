//! Signed actors and packed providers, made from what the workspace builds, with keys that live as long as the process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cofferdam_claims::{ActorClaims, KeyKind, KeyPair, Needs, ProviderArchive, native_target, sign_actor};
use cofferdam_host::{Actor, NativeCapability};

/// Set for a test that runs as somebody who can't read the repository: the folder of the built guests.
pub const GUESTS: &str = "COFFERDAM_TEST_GUESTS";

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The account that signs everything in these tests.
pub fn issuer() -> &'static KeyPair {
    static ISSUER: OnceLock<KeyPair> = OnceLock::new();
    ISSUER.get_or_init(|| KeyKind::Account.generate())
}

/// The folder of the programs and libraries that the workspace builds. Builds them first, unless whoever runs the tests
/// has just done so and says so by `COFFERDAM_BUILT`.
pub fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let program = std::env::current_exe().expect("a program knows its own path");
        let folder = program.parent().expect("a program lies in a folder");
        // Tests lie in target/PROFILE/deps, other programs in target/PROFILE.
        let folder = if folder.ends_with("deps") { folder.parent().expect("deps lies in a folder") } else { folder };
        if std::env::var_os("COFFERDAM_BUILT").is_none() {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--workspace", "--all-targets", "--locked"]).current_dir(root());
            if folder.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().expect("cargo can be run").success(), "building the workspace failed");
        }
        folder.to_owned()
    })
}

/// The shim.
pub fn shim() -> PathBuf {
    programs().join("cofferdam-shim")
}

/// A guest of `tests/guests/built`.
pub fn guest(name: &str) -> Vec<u8> {
    let folder = std::env::var_os(GUESTS).map_or_else(|| root().join("tests/guests/built"), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

/// A guest of `tests/guests/wat`.
pub fn wat(name: &str) -> Vec<u8> {
    let path = root().join("tests/guests/wat").join(format!("{name}.wat"));
    wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// What tests say of an actor when they say nothing else.
pub fn claims(name: &str, caps: &[&str]) -> ActorClaims {
    let caps = caps.iter().map(|cap| (*cap).to_owned()).collect();
    ActorClaims { name: name.to_owned(), caps, rev: Some(1), ..ActorClaims::default() }
}

/// Signs a module for a fresh actor.
pub fn sign(name: &str, wasm: &[u8], caps: &[&str], alias: Option<&str>) -> Vec<u8> {
    sign_as(wasm, ActorClaims { call_alias: alias.map(str::to_owned), ..claims(name, caps) })
}

/// Signs a module for a fresh actor with any claims.
pub fn sign_as(wasm: &[u8], claims: ActorClaims) -> Vec<u8> {
    let name = claims.name.clone();
    sign_actor(&name, wasm, claims, issuer(), &KeyKind::Actor.generate()).expect("a good module can be signed")
}

/// A fresh, signed actor of a built guest.
pub fn actor(guest_name: &str, caps: &[&str]) -> Actor {
    Actor::from_slice(&sign(guest_name, &guest(guest_name), caps, None)).expect("what was just signed verifies")
}

/// A packed and signed provider, of a library that the workspace builds.
pub fn archive(library: &str, contract_id: &str) -> ProviderArchive {
    let path = programs().join(format!("libcofferdam_{library}.so"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    let mut archive = unsigned(library, contract_id, &bytes);
    archive.set_needs(needs(library));
    signed(archive)
}

/// What the provider of a library states, as it is shipped. Of others, nothing is stated.
pub fn needs(library: &str) -> Option<Needs> {
    let json = match library {
        "httpserver" => include_str!("../../providers/httpserver/needs.json"),
        "keyvalue" => include_str!("../../providers/keyvalue/needs.json"),
        "logging" => include_str!("../../providers/logging/needs.json"),
        _ => return None,
    };
    Some(serde_json::from_str(json).expect("needs that are shipped can be read"))
}

/// A packed and signed provider, of any bytes, that states nothing.
pub fn archive_of(name: &str, contract_id: &str, library: &[u8]) -> ProviderArchive {
    signed(unsigned(name, contract_id, library))
}

/// A provider of any bytes, packed and not signed.
pub fn unsigned(name: &str, contract_id: &str, library: &[u8]) -> ProviderArchive {
    let mut archive = ProviderArchive::new(contract_id, name, "cofferdam", Some(1), Some("0.1.0".to_owned()));
    archive.add_library(native_target(), library).expect("a library can be added");
    archive
}

/// Signs it for a fresh provider.
pub fn signed(mut archive: ProviderArchive) -> ProviderArchive {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("provider.par.gz");
    let written = archive.write(path, issuer(), &KeyKind::Provider.generate(), true).expect("it can be written");
    ProviderArchive::try_load_file(written).expect("what was just written loads")
}

/// A provider of the workspace, ready to be started.
pub fn provider(library: &str, contract_id: &str) -> NativeCapability {
    NativeCapability::from_archive(&archive(library, contract_id), None).expect("what was just signed verifies")
}
