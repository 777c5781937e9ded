//! `cofferdam push` and `cofferdam pull`, as a person or a program runs them.

use std::path::Path;
use std::process::Command;

use cofferdam_tests::artifacts;
use cofferdam_tests::registry::{Access, PASSWORD, Registry, Speaks, USER};
use serde_json::Value;

/// The exit code, and the one line of JSON that was printed.
fn run(folder: &Path, password: Option<&str>, args: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(artifacts::programs().join("cofferdam"));
    command.args(args).args(["-o", "json"]).current_dir(folder).env_clear().env("HOME", folder);
    command.env("COFFERDAM_REGISTRY_CACHE", folder.join("cache"));
    if let Some(password) = password {
        command.envs([("OCI_REGISTRY_USER", USER), ("OCI_REGISTRY_PASSWORD", password)]);
    }
    let output = command.output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("it prints text");
    assert!(!text.contains(PASSWORD) && !text.contains("3cret"), "{args:?}: {text}");
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"));
    (output.status.code(), value)
}

#[test]
fn what_is_pushed_by_the_command_is_pulled_by_it() {
    let registry = Registry::start_as(Access::Password, Speaks::Tls);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let here = folder.path();
    std::fs::write(here.join("echo.wasm"), super::module()).expect("it can be written");
    std::fs::write(here.join("plain.wasm"), b"\0asm\x01\0\0\0").expect("it can be written");
    let (reference, ca) = (registry.reference("a/echo:1"), registry.authority().display().to_string());
    let (latest, missing) = (registry.reference("a/echo"), registry.reference("a/none:1"));
    let with_ca = |args: &[&str], password| run(here, password, &[args, &["--registry-ca", &*ca]].concat());

    let (code, pushed) = with_ca(&["push", &reference, "echo.wasm"], Some(PASSWORD));
    assert_eq!((code, &pushed["kind"]), (Some(0), &"actor".into()), "{pushed}");
    let (code, pulled) = with_ca(&["pull", &reference, "--out", "got.wasm"], Some(PASSWORD));
    assert_eq!(
        (code, &pulled["pinned"], &pulled["digest"]),
        (Some(0), &pushed["pinned"], &pushed["digest"]),
        "{pulled}"
    );
    let [sent, got] = ["echo.wasm", "got.wasm"].map(|name| std::fs::read(here.join(name)).expect("it is there"));
    assert!(sent == got);
    // By its digest it is in the cache, and nobody is asked.
    let pinned = pulled["pinned"].as_str().expect("a reference").to_owned();
    assert_eq!(run(here, None, &["pull", &pinned]).0, Some(0));

    let cases: [(&[&str], Option<&str>, i32, &str); 6] = [
        (&["pull", &reference], None, 3, "registry_unauthorized"),
        (&["pull", &reference], Some("wrong-3cret"), 3, "registry_unauthorized"),
        (&["pull", &latest], Some(PASSWORD), 3, "latest_refused"),
        (&["pull", &missing], Some(PASSWORD), 1, "registry_not_found"),
        (&["push", &reference, "plain.wasm"], Some(PASSWORD), 3, "claims_signed"),
        (&["push", &pinned, "echo.wasm"], Some(PASSWORD), 2, "push_to_digest"),
    ];
    for (args, password, code, kind) in cases {
        let (found, error) = with_ca(args, password);
        assert_eq!((found, error["error"]["kind"].as_str()), (Some(code), Some(kind)), "{args:?}: {error}");
    }
    let (code, error) = run(here, Some(PASSWORD), &["pull", &reference]);
    assert_eq!((code, &error["error"]["kind"]), (Some(1), &"registry_tls".into()), "{error}");
}
