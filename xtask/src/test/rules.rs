//! The step that reads every file of the repository and holds it against the rules that no other tool checks.

use std::fs;
use std::path::Path;

use crate::Failure;
use crate::command::program;

const LINES_MAX: usize = 500;
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Files that may be larger than [`FILE_BYTES_MAX`], each with its reason.
const LARGE_FILES: &[(&str, &str)] =
    &[("claims/fixtures/logger.wasm", "a real signed actor of 2021, from the fixtures of the wascap crate")];

/// Crates that may contain `unsafe`, each with its reason; every other one forbids it in its root.
#[rustfmt::skip]
const UNSAFE_CRATES: &[(&str, &str)] = &[
    ("channel",          "shared memory and descriptors received over sockets"),
    ("host",             "artifacts of the compiler, which are native code"),
    ("provider-shim",    "loads a library, and calls it"),
    ("sdk/abi",          "declares the C ABI"),
    ("sdk/provider",     "implements the C ABI"),
    ("sdk/legacy",       "implements the reference's ABI"),
    ("sdk/testkit",      "loads a library, and calls it"),
    ("providers",        "their libraries export a C symbol, by the macro of sdk/provider"),
    ("benches",          "the floor that is memory shared by two processes"),
    ("tests",            "rogue libraries, whose work is to break things"),
];

/// What marks code that was left unfinished. Written in halves, so that this file passes its own rule.
const UNFINISHED: &[&str] =
    &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("TO", "DO")];

/// Checks every file that is in the repository, or would be if it were added.
pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = program("git", args).in_dir(root).advice("run this inside a clone of the repository").capture()?;
    let mut wrong = Vec::new();
    for name in listed.split_terminator('\0') {
        let path = root.join(name);
        // A file that git knows and the disk does not have is on its way out.
        let Ok(facts) = fs::symlink_metadata(&path) else { continue };
        if !facts.is_file() {
            continue;
        }
        wrong.extend(size(name, facts.len()));
        if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{name} could not be read: {error}"))?;
            wrong.extend(source(name, &text));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new("some files break the rules of CONTRIBUTING.md")
        .with_lines(wrong)
        .next("mend them; an exception is a row with its reason in xtask/src/test/rules.rs"))
}

fn size(name: &str, bytes: u64) -> Option<String> {
    let listed = LARGE_FILES.iter().any(|(large, _)| *large == name);
    (bytes > FILE_BYTES_MAX && !listed).then(|| format!("{name}: {bytes} bytes, and {FILE_BYTES_MAX} is the limit"))
}

/// What is wrong with one Rust file.
fn source(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        wrong.push(format!("{name}: {lines} lines, and {LINES_MAX} is the limit; split it by what it is about"));
    }
    if !text.starts_with("//!") {
        wrong.push(format!("{name}: does not begin with `//!`, saying what it is and what it must never do"));
    }
    if is_crate_root(name) && !may_be_unsafe(name) && !text.contains("#![forbid(unsafe_code)]") {
        wrong.push(format!("{name}: this crate is not listed for unsafe code and lacks `#![forbid(unsafe_code)]`"));
    }
    for (index, line) in text.lines().enumerate() {
        if let Some(word) = UNFINISHED.iter().find(|word| line.contains(**word)) {
            wrong.push(format!("{name}:{}: `{word}` marks unfinished work; do it or open an issue", index + 1));
        }
    }
    wrong
}

fn is_crate_root(name: &str) -> bool {
    name.ends_with("src/lib.rs") || name.ends_with("src/main.rs")
}

fn may_be_unsafe(name: &str) -> bool {
    UNSAFE_CRATES.iter().any(|(folder, _)| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::{FILE_BYTES_MAX, LINES_MAX, UNFINISHED, size, source};

    #[test]
    fn each_limit_holds_on_both_sides() {
        assert_eq!(size("a.bin", FILE_BYTES_MAX), None);
        assert_eq!(
            size("a.bin", FILE_BYTES_MAX + 1).as_deref(),
            Some("a.bin: 1048577 bytes, and 1048576 is the limit")
        );
        let header = "//! A file.\n";
        assert!(source("host/src/a.rs", &header.repeat(LINES_MAX)).is_empty());
        assert_eq!(source("host/src/a.rs", &header.repeat(LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn each_rule_names_the_file() {
        let unfinished = format!("//! A file.\n fn f() {{ {}) }}", UNFINISHED[0]);
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("host/src/lib.rs", "//! A crate.", None),
            ("claims/src/lib.rs", "//! A crate.\n#![forbid(unsafe_code)]", None),
            ("claims/src/lib.rs", "//! A crate.", Some("claims/src/lib.rs: this crate is not listed")),
            ("claims/src/keys.rs", "//! A module.", None),
            ("claims/src/keys.rs", "use std::fs;", Some("claims/src/keys.rs: does not begin with")),
            ("claims/src/keys.rs", &unfinished, Some("claims/src/keys.rs:2: `todo")),
        ];
        for (name, text, expected) in cases {
            let wrong = source(name, text);
            match expected {
                Some(start) => assert!(wrong.len() == 1 && wrong[0].starts_with(start), "{name}: {wrong:?}"),
                None => assert!(wrong.is_empty(), "{name}: {wrong:?}"),
            }
        }
    }
}
