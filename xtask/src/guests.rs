//! The test actors: builds `tests/guests/built/*.wasm`, and checks without any wasm toolchain that they are what the
//! sources make.
//!
//! Built guests are in the repository, so that nobody needs a toolchain for wasm to run the demo or the tests; two hashes
//! a guest in `built/SOURCES.sha256` keep that honest. `tests/guests/README.md` defines them; it and [`sources_hash`]
//! change together. The check never builds, and the build never signs: development keys are the demo's business.

mod toolchain;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Failure;
use toolchain::Toolchain;

/// Builds every guest, copies the modules to `built/` and writes the manifest of hashes. Needs a toolchain for wasm32.
pub(crate) fn build(root: &Path) -> Result<(), Failure> {
    let guests = guests_dir(root);
    let toolchain = Toolchain::find()?;
    println!("guests: building with {}", toolchain.version);
    let modules = toolchain.build(root, &guests)?;
    let names = guest_names(&guests)?;
    let built = guests.join("built");
    fs::create_dir_all(&built).map_err(|e| failed("create", &built, &e))?;
    for stale in wasm_names(&built)?.difference(&names) {
        let path = wasm_path(&built, stale);
        fs::remove_file(&path).map_err(|e| failed("remove", &path, &e))?;
    }
    for name in &names {
        let (from, to) = (wasm_path(&modules, name), wasm_path(&built, name));
        let wasm = read(&from)?;
        toolchain.refuse_paths(root, name, &wasm)?;
        fs::write(&to, &wasm).map_err(|e| failed("write", &to, &e))?;
        println!("guests: {name}.wasm, {} KiB", wasm.len() / 1024);
    }
    let path = manifest_path(&guests);
    fs::write(&path, render(&found(&guests)?, &toolchain.version)).map_err(|e| failed("write", &path, &e))
}

/// Compares the built guests and their sources with the manifest. Says everything that differs at once.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    let guests = guests_dir(root);
    let path = manifest_path(&guests);
    let text = fs::read_to_string(&path).map_err(|e| failed("read", &path, &e))?;
    let manifest = parse(&text).map_err(|line| Failure::new(format!("could not read {}: {line}", path.display())))?;
    let wrong = differences(&manifest, &found(&guests)?);
    if wrong.is_empty() {
        println!("guests: {} built guests match their sources", manifest.len());
        return Ok(());
    }
    Err(Failure::new(format!("the built guests in {} are not what their sources make", guests.display()))
        .with_lines(wrong)
        .next("run `cargo xtask guests` and commit tests/guests/built"))
}

/// The two hashes of a guest, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hashes {
    sources: String,
    /// `None` when there is no such module in `built/`.
    wasm: Option<String>,
}

/// What is said about each guest by name: by the manifest, or by the files themselves.
type Guests = BTreeMap<String, Hashes>;

/// The guests as they are on disk: those with sources, and modules that have none (sources then is empty).
fn found(guests: &Path) -> Result<Guests, Failure> {
    let built = guests.join("built");
    let with_sources = guest_names(guests)?;
    let with_wasm = wasm_names(&built)?;
    let mut found = Guests::new();
    for name in with_sources.union(&with_wasm) {
        let sources = match with_sources.contains(name) {
            true => sources_hash(&sources(guests, name)?),
            false => String::new(),
        };
        let wasm = match with_wasm.contains(name) {
            true => Some(hex(Sha256::digest(read(&wasm_path(&built, name))?).as_slice())),
            false => None,
        };
        found.insert(name.clone(), Hashes { sources, wasm });
    }
    Ok(found)
}

/// One sentence for each guest that differs, in the order of their names.
fn differences(manifest: &Guests, found: &Guests) -> Vec<String> {
    let names: BTreeSet<&String> = manifest.keys().chain(found.keys()).collect();
    names.into_iter().filter_map(|name| difference(name, manifest.get(name), found.get(name))).collect()
}

fn difference(name: &str, manifest: Option<&Hashes>, found: Option<&Hashes>) -> Option<String> {
    let what = match (manifest, found) {
        (None, None) => return None,
        (Some(_), None) => "is in the manifest, but has neither sources nor a module".to_string(),
        (_, Some(found)) if found.sources.is_empty() => "has a module in built/, but no sources".to_string(),
        (None, Some(_)) => "has sources, but is not in the manifest".to_string(),
        (Some(_), Some(found)) if found.wasm.is_none() => format!("has no module built/{name}.wasm"),
        (Some(manifest), Some(found)) if manifest.sources != found.sources => {
            format!("was built from other sources ({} then, {} now)", manifest.sources, found.sources)
        }
        (Some(manifest), Some(found)) if manifest.wasm != found.wasm => {
            format!("is another module than the one that was built: built/{name}.wasm was changed")
        }
        (Some(_), Some(_)) => return None,
    };
    Some(format!("{name} {what}"))
}

/// The manifest's text: a comment a reader needs, then `SOURCES WASM NAME`, one guest a line, by name.
fn render(guests: &Guests, version: &str) -> String {
    let mut text = format!(
        "# Written by `cargo xtask guests`, checked by `cargo xtask guests --check`; README.md defines the hashes.\n\
         # Built with {version}.\n# SHA-256 of the sources, SHA-256 of the module, guest\n"
    );
    for (name, hashes) in guests {
        let wasm = hashes.wasm.as_deref().unwrap_or_default();
        writeln!(text, "{} {wasm} {name}", hashes.sources).expect("writing to a string does not fail");
    }
    text
}

/// The reverse of [`render`]. An error is the line that could not be read, and what it should be.
fn parse(text: &str) -> Result<Guests, String> {
    let is_hash = |field: &str| field.len() == 64 && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut guests = Guests::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields.as_slice() {
            [sources, wasm, name] if is_hash(sources) && is_hash(wasm) => {
                let hashes = Hashes { sources: sources.to_string(), wasm: Some(wasm.to_string()) };
                if guests.insert(name.to_string(), hashes).is_some() {
                    return Err(format!("`{name}` is there twice"));
                }
            }
            _ => return Err(format!("`{line}` is not `SOURCES WASM NAME` with two SHA-256 in lower-case hex")),
        }
    }
    Ok(guests)
}

/// SHA-256 over, for each file in the order of its path's bytes: path, a zero byte, length as 8 bytes little-endian,
/// contents.
fn sources_hash(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for (path, contents) in files {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update((contents.len() as u64).to_le_bytes());
        hash.update(contents);
    }
    hex(hash.finalize().as_slice())
}

/// What a guest is made of, by path relative to `tests/guests` with '/' between: the workspace's `Cargo.toml` and
/// `Cargo.lock`, the guest's own `Cargo.toml`, and every file under its `src`.
fn sources(guests: &Path, name: &str) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut files = BTreeMap::new();
    for path in ["Cargo.toml".to_string(), "Cargo.lock".to_string(), format!("{name}/Cargo.toml")] {
        let contents = read(&guests.join(&path))?;
        files.insert(path, contents);
    }
    let mut folders = vec![format!("{name}/src")];
    while let Some(folder) = folders.pop() {
        for (entry, is_folder) in entries(&guests.join(&folder))? {
            let path = format!("{folder}/{entry}");
            if is_folder {
                folders.push(path);
            } else {
                let contents = read(&guests.join(&path))?;
                files.insert(path, contents);
            }
        }
    }
    Ok(files)
}

/// The guests that have sources: every folder with a `Cargo.toml`.
fn guest_names(guests: &Path) -> Result<BTreeSet<String>, Failure> {
    let entries = entries(guests)?.into_iter();
    Ok(entries.filter(|(name, _)| guests.join(name).join("Cargo.toml").is_file()).map(|(name, _)| name).collect())
}

/// The modules in a folder, without `.wasm`.
fn wasm_names(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let entries = entries(folder)?.into_iter();
    Ok(entries.filter_map(|(name, _)| name.strip_suffix(".wasm").map(str::to_string)).collect())
}

/// Names in a folder, each with whether it is a folder itself. A name that is not UTF-8 is refused.
fn entries(folder: &Path) -> Result<Vec<(String, bool)>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| failed("list", folder, &e))? {
        let entry = entry.map_err(|e| failed("list", folder, &e))?;
        let kind = entry.file_type().map_err(|e| failed("look at", &entry.path(), &e))?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| Failure::from(format!("{name:?} in {} is not UTF-8", folder.display())))?;
        names.push((name, kind.is_dir()));
    }
    Ok(names)
}

fn guests_dir(root: &Path) -> PathBuf {
    root.join("tests/guests")
}

fn manifest_path(guests: &Path) -> PathBuf {
    guests.join("built/SOURCES.sha256")
}

fn wasm_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.wasm"))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|e| failed("read", path, &e))
}

fn failed(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::from(format!("could not {verb} {}: {error}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests(list: &[(&str, &str, Option<&str>)]) -> Guests {
        let hashes =
            |sources: &str, wasm: Option<&str>| Hashes { sources: sources.to_string(), wasm: wasm.map(str::to_string) };
        list.iter().map(|(name, sources, wasm)| (name.to_string(), hashes(sources, *wasm))).collect()
    }

    /// The hash by its definition in README.md, written out by hand for two files.
    #[test]
    fn the_hash_is_the_one_that_readme_defines() {
        let files = BTreeMap::from([("b/src/lib.rs".into(), b"fn f() {}".to_vec()), ("Cargo.toml".into(), vec![])]);
        let bytes = b"Cargo.toml\0\0\0\0\0\0\0\0\0b/src/lib.rs\0\x09\0\0\0\0\0\0\0fn f() {}";
        assert_eq!(sources_hash(&files), hex(Sha256::digest(bytes).as_slice()));
    }

    #[test]
    fn every_difference_is_named() {
        let manifest = guests(&[("a", "1", Some("2"))]);
        let table: &[(Guests, &[&str])] = &[
            (manifest.clone(), &[]),
            (guests(&[]), &["a is in the manifest, but has neither sources nor a module"]),
            (guests(&[("a", "", Some("2"))]), &["a has a module in built/, but no sources"]),
            (guests(&[("a", "1", None)]), &["a has no module built/a.wasm"]),
            (guests(&[("a", "9", Some("2"))]), &["a was built from other sources (1 then, 9 now)"]),
            (
                guests(&[("a", "1", Some("9")), ("b", "3", Some("4"))]),
                &[
                    "a is another module than the one that was built: built/a.wasm was changed",
                    "b has sources, but is not in the manifest",
                ],
            ),
        ];
        for (found, expected) in table {
            assert_eq!(differences(&manifest, found), *expected);
        }
    }

    #[test]
    fn the_manifest_reads_back_and_refuses_what_it_did_not_write() {
        let (one, two) = ("1".repeat(64), "f".repeat(64));
        let written = guests(&[("a", &one, Some(&two)), ("b", &two, Some(&one))]);
        assert_eq!(parse(&render(&written, "rustc 1")), Ok(written));
        let line = format!("{one} {two} a");
        for bad in ["", &line[1..], &line.to_uppercase(), &format!("{line} b"), &format!("{line}\n{line}")] {
            assert!(parse(&format!("{bad}\n")).is_err(), "{bad:?} was accepted");
        }
    }
}
