//! What the program says of itself, and to those who use it wrongly.

use crate::session::Session;

#[test]
fn every_command_has_help_with_an_example() {
    let commands: [&[&str]; 13] = [
        &[],
        &["call"],
        &["ps"],
        &["keys"],
        &["keys", "gen"],
        &["claims"],
        &["claims", "sign"],
        &["claims", "inspect"],
        &["claims", "verify"],
        &["par"],
        &["par", "create"],
        &["par", "inspect"],
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
    ] {
        assert_eq!(session.run(args).status.code(), Some(2), "{args:?}");
    }
    insta::assert_snapshot!(session.transcript());
}
