//! The arrows between crates, and which outside crates stay behind one door.
//!
//! Normal and build dependencies count; dev-dependencies are free, because tests are where both sides of an arrow meet.

use std::path::Path;

use serde_json::Value;

use crate::Failure;
use crate::command;

/// A crate by its folder, and the folders of the workspace it may depend on.
struct Arrows {
    folder: &'static str,
    may_import: &'static [&'static str],
    /// Outside crates that this one must never name: what makes it pure, or small, or synchronous.
    never: &'static [&'static str],
}

/// An outside crate that only these folders may name, so that replacing it touches one place.
struct Door {
    package: &'static str,
    folders: &'static [&'static str],
}

const ASYNC_AND_IO: &[&str] = &["tokio", "hyper", "interprocess", "nix", "libc"];
/// For a crate that opens files by flags of the system's, and does no more with it.
const ASYNC_AND_NIX: &[&str] = &["tokio", "hyper", "interprocess", "nix"];
const NEVER_IN_SHIM: &[&str] = &["tokio", "hyper", "wasmer", "serde_json", "nkeys", "wascap"];
const ANYTHING: &str = "*";

#[rustfmt::skip]
const ARROWS: &[Arrows] = &[
    Arrows { folder: "protocol",      may_import: &[],                               never: ASYNC_AND_IO },
    Arrows { folder: "channel",       may_import: &["protocol"],                     never: &["wasmer"] },
    Arrows { folder: "claims",        may_import: &[],                               never: ASYNC_AND_NIX },
    Arrows { folder: "library",       may_import: &["sdk/abi"],                      never: ASYNC_AND_IO },
    Arrows { folder: "registry",      may_import: &[],                               never: &["nix", "libc", "interprocess"] },
    Arrows { folder: "host",          may_import: &["channel", "claims", "registry"], never: &["hyper"] },
    Arrows { folder: "provider-shim", may_import: &["channel", "library", "sdk/abi"], never: NEVER_IN_SHIM },
    Arrows { folder: "cli",           may_import: &["claims", "host", "library", "registry"], never: &["wasmer"] },
    Arrows { folder: "sdk/abi",       may_import: &[],                               never: &["tokio", "serde", "libc"] },
    Arrows { folder: "sdk/provider",  may_import: &["sdk/abi"],                      never: &["hyper"] },
    Arrows { folder: "sdk/testkit",   may_import: &["channel", "sdk/provider"],      never: &[] },
    Arrows { folder: "sdk/testkit/faults", may_import: &["sdk/abi"],                 never: &["tokio", "wasmer"] },
    Arrows { folder: "sdk/testkit/rogue", may_import: &["sdk/provider", "sdk/testkit/faults"], never: &["wasmer"] },
    Arrows { folder: "sdk/testkit/rogue-shim", may_import: &["channel", "sdk/testkit/faults"], never: &["tokio", "wasmer"] },
    Arrows { folder: "sdk/legacy",    may_import: &["sdk/abi"],                      never: &[] },
    Arrows { folder: "providers/*",   may_import: &["sdk/provider"],                 never: &["wasmer"] },
    // Their lists of attempts and faults are what the tests walk.
    Arrows { folder: "tests",         may_import: &["claims", "host", "registry", "sdk/testkit/faults", "sdk/testkit/rogue"], never: &[] },
    Arrows { folder: "tests/probe",   may_import: &["sdk/provider", "sdk/testkit/faults"], never: &["wasmer"] },
    Arrows { folder: "benches",       may_import: &[ANYTHING],                       never: &[] },
    Arrows { folder: "benches/slow",  may_import: &["sdk/provider"],                 never: &["tokio", "wasmer"] },
    Arrows { folder: "xtask",         may_import: &[],                               never: &["tokio"] },
];

const DOORS: &[Door] = &[
    Door { package: "bincode", folders: &["protocol"] },
    Door { package: "wasmer", folders: &["host"] },
    Door { package: "wasmer-middlewares", folders: &["host"] },
    Door { package: "wascap", folders: &["claims"] },
    Door { package: "oci-client", folders: &["registry"] },
    Door { package: "reqwest", folders: &["registry"] },
    Door { package: "rustls", folders: &["registry", "providers/httpserver"] },
];

/// Crates that measure or test the whole: no door is closed to them.
const OUTSIDE_THE_DOORS: &[&str] = &["tests", "benches"];

/// A dependency that counts: its name, and its folder if it is one of ours.
#[derive(Debug, PartialEq, Eq)]
struct Import {
    package: String,
    folder: Option<String>,
}

/// One line for each arrow that points the wrong way.
pub(super) fn check(root: &Path) -> Result<Vec<String>, Failure> {
    let args = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let text = command::cargo(root, args).advice("repair the Cargo.toml that cargo names").capture()?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|error| format!("`cargo metadata` printed no readable JSON: {error}"))?;
    Ok(judge(&metadata))
}

fn judge(metadata: &Value) -> Vec<String> {
    let root = text(&metadata["workspace_root"]);
    let mut wrong = Vec::new();
    for package in list(&metadata["packages"]) {
        let folder = folder_in(root, text(&package["manifest_path"]).trim_end_matches("/Cargo.toml"));
        match ARROWS.iter().find(|arrows| names(arrows.folder, folder)) {
            Some(arrows) => wrong.extend(list(&package["dependencies"]).iter().filter_map(|dependency| {
                let import = import_of(root, dependency)?;
                let reason = refuse(arrows, folder, &import)?;
                Some(format!("{folder}/Cargo.toml: {reason}"))
            })),
            None => wrong.push(format!("{folder}/Cargo.toml: this crate is in no table")),
        }
    }
    wrong
}

/// Why `folder` may not have this dependency, if so.
fn refuse(arrows: &Arrows, folder: &str, import: &Import) -> Option<String> {
    if let Some(target) = &import.folder {
        let allowed = arrows.may_import.iter().any(|allowed| *allowed == ANYTHING || names(allowed, target));
        return (!allowed).then(|| format!("may not import {target} (it may import: {})", words(arrows.may_import)));
    }
    if arrows.never.contains(&import.package.as_str()) {
        return Some(format!("must never depend on {}", import.package));
    }
    let door = DOORS.iter().find(|door| door.package == import.package)?;
    let open = door.folders.contains(&folder) || OUTSIDE_THE_DOORS.contains(&folder);
    (!open).then(|| format!("{} is named only by: {}", import.package, words(door.folders)))
}

fn import_of(root: &str, dependency: &Value) -> Option<Import> {
    if dependency["kind"] == "dev" {
        return None;
    }
    let folder = dependency["path"].as_str().map(|path| folder_in(root, path).to_owned());
    Some(Import { package: text(&dependency["name"]).to_owned(), folder })
}

/// Whether a folder of the table, `providers/*` among them, means this folder.
fn names(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(parent) => folder.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/')),
        None => pattern == folder,
    }
}

fn words(folders: &[&str]) -> String {
    if folders.is_empty() { "nothing".to_owned() } else { folders.join(", ") }
}

fn folder_in<'a>(root: &str, path: &'a str) -> &'a str {
    path.strip_prefix(root).unwrap_or(path).trim_start_matches('/')
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ARROWS, judge};

    fn package(folder: &str, dependencies: &[Value]) -> Value {
        json!({ "manifest_path": format!("/w/{folder}/Cargo.toml"), "dependencies": dependencies })
    }

    fn ours(folder: &str) -> Value {
        json!({ "name": "any", "path": format!("/w/{folder}"), "kind": null })
    }

    fn outside(name: &str, kind: Option<&str>) -> Value {
        json!({ "name": name, "kind": kind })
    }

    #[test]
    fn every_arrow_is_judged() {
        let cases = [
            (package("channel", &[ours("protocol")]), None),
            (
                package("protocol", &[ours("channel")]),
                Some("protocol/Cargo.toml: may not import channel (it may import: nothing)"),
            ),
            (package("providers/new", &[ours("sdk/provider")]), None),
            (
                package("providers/new", &[ours("host")]),
                Some("providers/new/Cargo.toml: may not import host (it may import: sdk/provider)"),
            ),
            (package("providers", &[]), Some("providers/Cargo.toml: this crate is in no table")),
            (package("protocol", &[outside("tokio", None)]), Some("protocol/Cargo.toml: must never depend on tokio")),
            (package("protocol", &[outside("tokio", Some("dev"))]), None),
            (
                package("protocol", &[outside("tokio", Some("build"))]),
                Some("protocol/Cargo.toml: must never depend on tokio"),
            ),
            (package("protocol", &[outside("bincode", None)]), None),
            (package("host", &[outside("bincode", None)]), Some("host/Cargo.toml: bincode is named only by: protocol")),
            (package("tests", &[outside("bincode", None), ours("host")]), None),
            (
                package("tests", &[ours("channel")]),
                Some(
                    "tests/Cargo.toml: may not import channel (it may import: claims, host, registry, sdk/testkit/faults, sdk/testkit/rogue)",
                ),
            ),
            (package("benches", &[ours("channel"), ours("host")]), None),
        ];
        for (package, expected) in cases {
            let metadata = json!({ "workspace_root": "/w", "packages": [package] });
            let expected: Vec<String> = expected.map(str::to_owned).into_iter().collect();
            assert_eq!(judge(&metadata), expected, "{package}");
        }
    }

    /// A crate may import only crates of earlier rows or the table has a cycle.
    #[test]
    fn the_table_has_no_cycle() {
        let mut settled: Vec<&str> = Vec::new();
        while settled.len() < ARROWS.len() {
            let free = ARROWS.iter().find(|arrows| {
                let ready = |needed: &&str| *needed == super::ANYTHING || settled.contains(needed);
                !settled.contains(&arrows.folder) && arrows.may_import.iter().all(ready)
            });
            settled.push(free.expect("some crate imports only settled ones").folder);
        }
    }
}
