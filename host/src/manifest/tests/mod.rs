//! Manifests as data: what each becomes, or what is said about it.

mod bad;
mod demo;
mod docs;
mod files;
mod good;
mod properties;

use std::path::Path;

use super::{Format, HostManifest, ManifestError};

pub(super) const ISSUER: &str = "AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCT";
pub(super) const ACTOR: &str = "MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY2";
pub(super) const PROVIDER: &str = "VB33BSG4GTDWDY37JIFX3SVZH3MLRTQ7NDW3BY3RPYM4YM5UYEL66NJY";
pub(super) const SEED: &str = "SAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The environment of these tests.
pub(super) fn environment(name: &str) -> Option<String> {
    let value = match name {
        "PORT" => "9090",
        "EMPTY" => "",
        "ACTOR" => ACTOR,
        "EVIL" => "x, ADMIN: true}\n# \"'",
        "NESTED" => "${PORT}",
        "SECRET" => "hunter2",
        "LONG" => return Some("x".repeat(1 << 20)),
        _ => return None,
    };
    Some(value.to_owned())
}

/// Parses a manifest of these tests; `ISSUER`, `ACTOR!` and their like in it stand for keys.
pub(super) fn parse(name: &str, text: &str) -> Result<HostManifest, ManifestError> {
    let text = text.replace("ISSUER!", ISSUER).replace("ACTOR!", ACTOR).replace("PROVIDER!", PROVIDER);
    let text = text.replace("SEED!", SEED);
    HostManifest::parse(name, &text, Format::of(Path::new(name)), Path::new("/manifests"), &environment)
}
