//! What the program says of itself, and to those who use it wrongly.

use crate::session::Session;

#[test]
fn every_command_has_help_with_an_example() {
    let commands: [&[&str]; 29] = [
        &[],
        &["run"],
        &["call"],
        &["ps"],
        &["explain"],
        &["provider"],
        &["provider", "restart"],
        &["provider", "stop"],
        &["provider", "hold"],
        &["provider", "release"],
        &["crashes"],
        &["crashes", "list"],
        &["crashes", "show"],
        &["audit"],
        &["audit", "verify"],
        &["audit", "head"],
        &["audit", "show"],
        &["keys"],
        &["keys", "gen"],
        &["claims"],
        &["claims", "sign"],
        &["claims", "inspect"],
        &["claims", "verify"],
        &["par"],
        &["par", "create"],
        &["par", "inspect"],
        &["pull"],
        &["push"],
        &["inspect"],
    ];
    let mut session = Session::new();
    for command in commands {
        let output = session.run(&[command, &["--help"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let has_subcommands = text.contains("\nCommands:\n");
        assert!(has_subcommands || text.contains("\nExample:\n"), "{command:?} has no example");
    }
    insta::assert_snapshot!(session.transcript());
}

#[test]
fn wrong_usage_is_told_in_the_form_that_was_asked_for() {
    let mut session = Session::new();
    for args in [
        &["dance"][..],
        &["call"],
        &["call", "-o", "json"],
        &["ps", "--bogus", "-ojson"],
        &["keys", "gen", "bogus", "-o", "json"],
        &["claims", "sign", "plain.wasm", "--output=json"],
        &["par", "create", "--lib", "x86_64-linux=", "-o", "json"],
        &["call", "M", "Op", "--timeout", "soon", "-o", "json"],
        &["call", "M", "Op", "--timeout", "2h", "-o", "json"],
        &["ps", "--namespace", "../up", "-o", "json"],
        &["run", "--label", "nonsense", "-o", "json"],
        &["run", "--log", "cofferdam=nonsense", "-o", "json"],
        &["run", "-m", "missing.yaml", "-o", "json"],
        &["run", "--trust", "nobody", "-o", "json"],
        &["pull", "echo:1", "-o", "json"],
        &["push", "registry.example/echo:1", "missing.wasm", "-o", "json"],
        &["pull", "registry.example/echo:1", "--registry-ca", "plain.wasm", "-o", "json"],
        &["run", "--unmetered-issuer", "AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCU", "-o", "json"],
        &["run", "--unmetered-issuer", "MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY2", "-o", "json"],
    ] {
        assert_eq!(session.run(args).status.code(), Some(2), "{args:?}");
    }
    insta::assert_snapshot!(session.transcript());
}

#[test]
fn what_comes_later_is_refused_and_not_ignored() {
    let with_value = ["rpc-host", "rpc-port", "rpc-jwt", "rpc-seed", "rpc-credsfile", "control-host", "control-port"];
    let with_value = [&with_value[..], &["control-jwt", "control-seed", "control-credsfile"]].concat();
    let bare = ["allow-live-updates", "disable-strict-update-check"];
    let mut session = Session::new();
    for flag in with_value.iter().map(|flag| vec![format!("--{flag}"), "hunter2".to_owned()]) {
        let output = session.run(&["run", &flag[0], &flag[1], "-o", "json"]);
        assert_eq!(output.status.code(), Some(2), "{flag:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "{flag:?}");
    }
    for flag in bare {
        assert_eq!(session.run(&["run", &format!("--{flag}"), "-o", "json"]).status.code(), Some(2), "{flag}");
    }
    session.run(&["run", "--rpc-host", "127.0.0.1"]);
    session.set("CONTROL_SEED", "hunter2");
    let output = session.run(&["run"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    insta::assert_snapshot!(session.transcript());
}
