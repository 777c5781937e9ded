//! Commands on files: keys, claims, archives, and `inspect` of whatever there is.

use std::os::unix::fs::PermissionsExt as _;

use crate::sample::{AARCH64, Sample, X86_64};
use crate::session::{ISSUER, Session};

const SIGN: &[&str] = &[
    "claims",
    "sign",
    "plain.wasm",
    "--issuer",
    "issuer.nk",
    "--module",
    "actor.nk",
    "--name",
    "Echo",
    "--cap",
    "wasmcloud:httpserver",
    "--cap",
    "wasmcloud:keyvalue",
    "--rev",
    "3",
    "--ver",
    "1.2.0",
    "--alias",
    "Echo Actor",
    "--tag",
    "test",
    "--issued-at",
    "1700000000",
];
const CREATE: &[&str] = &[
    "par",
    "create",
    "--issuer",
    "issuer.nk",
    "--subject",
    "provider.nk",
    "--capid",
    "wasmcloud:keyvalue",
    "--name",
    "Key-value store",
    "--vendor",
    "Example",
    "--rev",
    "2",
    "--ver",
    "0.2.0",
    "--issued-at",
    "1700000000",
    "--lib",
    "x86_64-linux=a.so",
    "--lib",
    "aarch64-linux=b.so",
];
const STRANGER: &str = "AAZBLAONZGNFMGSIQH47WKWCFU2GHHU7OOA72ROK4C46ERIPE36A6UBC";

fn with(args: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    [args, more].concat()
}

#[test]
fn actors_are_signed_inspected_and_verified() {
    let mut session = Session::new();
    session.run(&with(SIGN, &["--out", "echo.wasm"]));
    session.run(&with(SIGN, &["--out", "again.wasm", "-o", "json"]));
    let mut changed = std::fs::read(session.path("echo.wasm")).unwrap();
    let again = std::fs::read(session.path("again.wasm")).unwrap();
    assert_eq!(changed, again, "the same claims at the same time are the same bytes");
    session.run(&with(SIGN, &["--out", "expired.wasm", "--expires-in", "30d"]));
    changed.extend_from_slice(b"\x00\x02\x01x");
    session.file("changed.wasm", &changed);
    for (file, trust) in [
        ("echo.wasm", None),
        ("echo.wasm", Some(ISSUER)),
        ("echo.wasm", Some(STRANGER)),
        ("expired.wasm", None),
        ("changed.wasm", None),
        ("plain.wasm", None),
        ("issuer.nk", None),
        ("missing.wasm", None),
    ] {
        let trust: Vec<&str> = trust.map(|account| vec!["--trust", account]).unwrap_or_default();
        session.run(&[&["claims", "verify", file], &trust[..]].concat());
        session.run(&[&["claims", "verify", file, "-o", "json"], &trust[..]].concat());
    }
    session.run(&["claims", "inspect", "echo.wasm"]);
    session.run(&["claims", "inspect", "expired.wasm", "--trust", STRANGER]);
    session.run(&["claims", "inspect", "expired.wasm", "-o", "json"]);
    let transcript = steady(session.transcript());
    insta::assert_snapshot!(transcript);
}

/// The text of an expiry names the time of the check.
fn steady(transcript: &str) -> String {
    let mut parts = transcript.split(", and it is ");
    let mut steady = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        steady.push_str(", and it is NOW");
        steady.push_str(&part["2026-01-01 00:00:00 UTC".len()..]);
    }
    steady
}

#[test]
fn a_command_that_cannot_be_carried_out_says_why() {
    let mut session = Session::new();
    session.file("a.so", &Sample::of(X86_64).bytes());
    session.file("b.so", &Sample::of(AARCH64).bytes());
    session.file("c.so", &Sample { symbol: "nothing", ..Sample::of(X86_64) }.bytes());
    session.file("text.so", b"no library");
    session.file("empty", b"");
    let create_with = |at: usize, value: &'static str| {
        let mut args = with(CREATE, &["--out", "out.par"]);
        args[at] = value;
        args
    };
    let sign_with = |at: usize, value: &'static str| {
        let mut args = with(SIGN, &["--out", "out.wasm"]);
        args[at] = value;
        args
    };
    let cases = [
        sign_with(4, "actor.nk"),
        sign_with(4, "broken.nk"),
        sign_with(4, "missing.nk"),
        sign_with(6, "issuer.nk"),
        sign_with(2, "issuer.nk"),
        with(SIGN, &["--out", "no/such/folder.wasm"]),
        with(CREATE, &["--out", "no/such/folder.par"]),
        with(CREATE, &["--lib", "x86_64-linux=a.so", "--out", "twice.par"]),
        with(CREATE, &["--lib", "nonsense=a.so", "--out", "target.par"]),
        with(CREATE, &["--lib", "riscv64-linux=c.so", "--out", "missing.par"]),
        create_with(19, "x86_64-linux=missing.so"),
        create_with(19, "x86_64-linux=text.so"),
        create_with(19, "x86_64-linux=b.so"),
        create_with(19, "x86_64-linux=c.so"),
        create_with(19, "x86_64-linux=."),
        create_with(7, "keyvalue"),
        with(SIGN, &["--cap", "keyvalue", "--out", "out.wasm"]),
        with(SIGN, &["--out", "/dev/full"]),
        with(CREATE, &["--out", "/dev/full"]),
        with(SIGN, &["--out", "."]),
        sign_with(2, "."),
        sign_with(2, "empty"),
        sign_with(4, "."),
        vec!["claims", "verify", "plain.wasm", "--trust", "AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCU"],
        vec!["par", "verify", "empty"],
        vec!["par", "verify", "."],
        vec!["inspect", "."],
        vec!["inspect", "/dev/stdin"],
        vec!["inspect", "/dev/zero"],
        vec!["claims", "inspect", "issuer.nk"],
        vec!["claims", "verify", "/dev/zero"],
        vec!["par", "verify", "/dev/zero"],
        sign_with(4, "/dev/zero"),
        create_with(19, "x86_64-linux=/dev/zero"),
        vec!["run", "--manifest", "/dev/zero"],
        vec!["keys", "gen", "actor", "--out", "issuer.nk"],
        vec!["claims", "verify", "plain.wasm", "--trust", "SAAI4AG2IXBUG3JCGPJE2MK7IYPN3Q5KL7YALGTGJCJCB3DOEEIONKMA6I"],
    ];
    for args in cases {
        assert!(!session.run(&args).status.success(), "{args:?}");
    }
    insta::assert_snapshot!(session.transcript());
}

#[test]
fn archives_are_made_inspected_and_verified() {
    let mut session = Session::new();
    session.file("a.so", &Sample::of(X86_64).bytes());
    session.file("b.so", &Sample::of(AARCH64).bytes());
    session.run(&with(CREATE, &["--out", "kv.par"]));
    session.run(&with(CREATE, &["--out", "kv.par.gz", "-o", "json"]));
    for file in ["kv.par", "kv.par.gz"] {
        session.run(&["par", "verify", file, "--trust", ISSUER]);
        session.run(&["par", "inspect", file]);
        session.run(&["inspect", file, "-o", "json"]);
    }
    session.run(&["par", "verify", "kv.par", "--trust", STRANGER]);
    let bytes = std::fs::read(session.path("kv.par")).unwrap();
    session.file("cut.par", &bytes[..700]);
    session.run(&["par", "verify", "cut.par"]);
    let bytes = std::fs::read(session.path("kv.par.gz")).unwrap();
    session.file("cut.par.gz", &bytes[..300]);
    session.run(&["par", "verify", "cut.par.gz"]);
    session.run(&["par", "inspect", "plain.wasm"]);
    insta::assert_snapshot!(session.transcript());
}

#[test]
fn needs_are_signed_and_explained() {
    let mut session = Session::new();
    session.file("a.so", &Sample::of(X86_64).bytes());
    session.file("b.so", &Sample::of(AARCH64).bytes());
    session.file("needs.json", br#"{"listen": {"address": "${BIND:127.0.0.1}", "port": "${PORT:8080}"}, "env": "TZ"}"#);
    session.run(&with(CREATE, &["--needs", "needs.json", "--out", "needs.par"]));
    session.run(&with(CREATE, &["--needs", "{}", "--out", "nothing.par"]));
    session.run(&with(CREATE, &["--out", "unstated.par"]));
    session.run(&["par", "inspect", "needs.par"]);
    for file in ["needs.par", "nothing.par", "unstated.par"] {
        session.run(&["explain", file]);
    }
    session.run(&["explain", "./needs.par", "-o", "json"]);
    session.run(&["explain", "missing.par"]);
    for needs in [
        "missing.json",
        "{",
        r#"{"listens": []}"#,
        r#"{"listen": 8080}"#,
        r#"{"listen": {"address": "0.0.0.0", "port": "$PORT"}}"#,
        r#"{"connect": "nonsense"}"#,
    ] {
        let output = session.run(&with(CREATE, &["--needs", needs, "--out", "bad.par"]));
        assert_eq!(output.status.code(), Some(2), "{needs}");
        assert!(!session.path("bad.par").exists(), "{needs}");
    }
    insta::assert_snapshot!(session.transcript());
}

#[test]
fn anything_can_be_inspected() {
    let mut session = Session::new();
    let logger = concat!(env!("CARGO_MANIFEST_DIR"), "/../claims/fixtures/logger.wasm");
    session.file("logger.wasm", &std::fs::read(logger).unwrap());
    session.file("key.txt", ISSUER.as_bytes());
    session.file("empty", b"");
    session.file("prose.txt", b"to whom it may concern\n");
    session.file("noise", &[0xfe; 64]);
    session.file("elf", b"\x7fELF and then nothing");
    session.file("wrong.yaml", b"actorz: []\n");
    session.file(
        "manifest.yaml",
        format!(
            "host: {{namespace: lab, trust: [{ISSUER}]}}\nactors: [echo.wasm]\ncapabilities: [{{image_ref: kv.par.gz}}]\n\
             links:\n  - actor: MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY2\n    \
             provider_id: VB33BSG4GTDWDY37JIFX3SVZH3MLRTQ7NDW3BY3RPYM4YM5UYEL66NJY\n    \
             contract_id: wasmcloud:keyvalue\n    values: {{PASSWORD: hunter2}}\n"
        )
        .as_bytes(),
    );
    let token = token_of(&std::fs::read(session.path("logger.wasm")).unwrap());
    session.file("claims.jwt", &token);
    let last = token.len() - 8;
    session.file("forged.jwt", &[&token[..last], b"AAAAAAAA"].concat());
    for file in [
        "plain.wasm",
        "logger.wasm",
        "issuer.nk",
        "broken.nk",
        "key.txt",
        "claims.jwt",
        "forged.jwt",
        "manifest.yaml",
        "wrong.yaml",
        "prose.txt",
        "empty",
        "noise",
        "elf",
        "missing",
    ] {
        session.run(&["inspect", file]);
        session.run(&["inspect", file, "-o", "json"]);
    }
    assert!(!session.transcript().contains("hunter2"), "a link's value was printed");
    insta::assert_snapshot!(session.transcript());
}

/// The token in a module, found by how every token begins.
fn token_of(wasm: &[u8]) -> Vec<u8> {
    let start = wasm.windows(3).position(|three| three == b"eyJ").unwrap();
    let is_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    wasm[start..].iter().take_while(is_token).copied().collect()
}

#[test]
fn a_native_library_is_read_and_not_loaded() {
    let mut session = Session::new();
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    session.file("own", &own);
    let output = session.run(&["inspect", "own", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["type"], &json["provider"]), (&"library".into(), &false.into()));
    assert_eq!(json["target"], cofferdam_claims::native_target());
}

#[test]
fn a_new_key_is_written_for_its_owner_or_shown() {
    let mut session = Session::new();
    for (kind, letter) in [("account", 'A'), ("module", 'M'), ("provider", 'V'), ("host", 'N'), ("operator", 'O')] {
        let file = format!("{kind}.new");
        let output = session.run(&["keys", "gen", kind, "--out", &file]);
        let public_key = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(public_key.starts_with(letter) && public_key.len() == 56, "{public_key}");
        assert!(output.stderr.is_empty());
        let mode = std::fs::metadata(session.path(&file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let inspected = session.run(&["inspect", &file, "-o", "json"]).stdout;
        assert!(String::from_utf8(inspected).unwrap().contains(&public_key));
    }
    let shown = session.run(&["keys", "gen", "actor"]);
    assert!(String::from_utf8(shown.stdout).unwrap().contains("\nseed        SM"));
    assert!(String::from_utf8(shown.stderr).unwrap().contains("secret"));
    let json = session.run(&["keys", "gen", "actor", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json["seed"].as_str().unwrap().starts_with("SM"));
}
