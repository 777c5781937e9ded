//! `crashes` reads a state directory, whether or not a host runs in it.

use cofferdam_host::crash::{CrashReport, Ended, Reports};

use crate::session::Session;

fn report(id: &str, cause: &str) -> CrashReport {
    let mut report =
        CrashReport { id: id.to_owned(), cause: cause.to_owned(), generation: 3, ..CrashReport::default() };
    report.at = "2025-11-22T22:00:00.123Z".to_owned();
    report.provider.id = "VPROVIDER".to_owned();
    report.provider.link = "default".to_owned();
    report.ended = Ended::Code(3);
    report
}

#[test]
fn reports_are_listed_and_shown_without_a_host() {
    let mut session = Session::new();
    let state = ["--state-dir", "state"];
    assert!(session.run(&[&["crashes"], &state[..]].concat()).status.success());
    assert_eq!(session.run(&[&["crashes", "show"], &state[..]].concat()).status.code(), Some(1));
    let reports = Reports::of(&session.path("state"));
    reports.write(&report("20251122T220000123Z-V-1", "exited with code 3")).unwrap();
    reports.write(&report("20251122T220000124Z-V-2", "killed, \u{1b}[2J\u{202e} it says")).unwrap();
    for args in [
        &["crashes"][..],
        &["crashes", "list", "-o", "json"],
        &["crashes", "show", "20251122T220000123Z-V-1"],
        &["crashes", "show", "-o", "json"],
    ] {
        assert!(session.run(&[args, &state].concat()).status.success(), "{args:?}");
    }
    for args in [&["crashes", "show", "../host"][..], &["crashes", "show", "none", "-o", "json"]] {
        assert_eq!(session.run(&[args, &state].concat()).status.code(), Some(1), "{args:?}");
    }
    assert_eq!(session.run(&["crashes", "show", "one", "more", "-o", "json"]).status.code(), Some(2));
    insta::assert_snapshot!(session.transcript());
}
