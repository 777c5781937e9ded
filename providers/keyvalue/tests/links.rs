//! Which link uses which store, and what refuses a link.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::time::Duration;

use support::{call, rig};

fn set(rig: &cofferdam_testkit::Rig, actor: &str, text: &str) {
    let fields = [("key", "k".into()), ("value", text.into()), ("expires", 0.into())];
    assert_eq!(call(rig, actor, "Set", &fields), format!("value={text:?}"));
}

fn get(rig: &cofferdam_testkit::Rig, actor: &str) -> String {
    call(rig, actor, "Get", &[("key", "k".into())])
}

const ABSENT: &str = r#"value="" exists=false"#;

#[test]
fn links_share_a_database_by_its_name() {
    let rig = rig(None);
    rig.bind("MA", &[]).unwrap();
    rig.bind("MB", &[("DB", "default"), ("__wasmcloud_name", "b")]).unwrap();
    rig.bind("MC", &[("DB", "other")]).unwrap();
    rig.bind("MD", &[("MEMORY", "true")]).unwrap();
    rig.bind("ME", &[("MEMORY", "true")]).unwrap();
    set(&rig, "MA", "shared");
    set(&rig, "MD", "private");
    assert_eq!(get(&rig, "MB"), r#"value="shared" exists=true"#);
    assert_eq!(get(&rig, "MC"), ABSENT);
    assert_eq!(get(&rig, "MD"), r#"value="private" exists=true"#);
    assert_eq!(get(&rig, "ME"), ABSENT);
    assert_eq!(rig.log(), []);
    assert_eq!(rig.health(), Ok(()));
}

#[test]
fn binding_again() {
    let rig = rig(None);
    rig.bind("MA", &[("MEMORY", "true")]).unwrap();
    set(&rig, "MA", "kept");
    rig.bind("MA", &[("MEMORY", "true")]).unwrap();
    assert_eq!(get(&rig, "MA"), r#"value="kept" exists=true"#);
    // With other values it replaces the earlier.
    rig.bind("MA", &[("DB", "file")]).unwrap();
    assert_eq!(get(&rig, "MA"), ABSENT);
    set(&rig, "MA", "on disk");
    rig.unbind("MA").unwrap();
    assert_eq!(get(&rig, "MA"), "! no link of MA is bound here");
    rig.unbind("MA").unwrap();
    rig.bind("MA", &[("DB", "file")]).unwrap();
    assert_eq!(get(&rig, "MA"), r#"value="on disk" exists=true"#);
}

#[test]
fn wrong_values_are_refused() {
    let long = "x".repeat(65);
    let name =
        |name: &str| format!("the link value DB is {name:?}: a database is named by 1 to 64 of A-Z, a-z, 0-9, _ and -");
    let cases: Vec<(&[(&str, &str)], String)> = vec![
        (&[("DB", "")], name("")),
        (&[("DB", "../up")], name("../up")),
        (&[("DB", "a.b")], name("a.b")),
        (&[("DB", "a\0b")], name("a\0b")),
        (&[("MEMORY", "yes")], "the link value MEMORY is \"yes\": it is true or false".into()),
        (&[("MEMORY", "true"), ("DB", "a")], "the link values DB and MEMORY=true exclude each other".into()),
    ];
    let rig = rig(None);
    for (values, words) in cases {
        assert_eq!(rig.bind("MA", values).unwrap_err().words, words);
    }
    assert!(rig.bind("MA", &[("DB", &long)]).is_err());
    rig.bind("MA", &[("DB", &long[..64]), ("MEMORY", "false")]).unwrap();
    rig.bind("MB", &[("URL", "redis://secret@host"), ("MEMORY", "true")]).unwrap();
    let log: Vec<_> = rig.log().into_iter().map(|line| line.text).collect();
    assert_eq!(log, ["the link value \"URL\" of MB means nothing here"]);
}

#[test]
fn a_link_to_elsewhere_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("default.redb")).unwrap();
    let rig = rig(Some(directory.path()));
    let words = rig.bind("MA", &[]).unwrap_err().words;
    assert!(words.starts_with("the file default.redb in the state directory could not be opened: "), "{words}");
    assert_eq!(elsewhere.as_file().metadata().unwrap().len(), 0);
}

#[test]
fn a_database_in_use_is_waited_for_then_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = rig(Some(directory.path()));
    first.bind("MA", &[]).unwrap();
    set(&first, "MA", "from the first");
    let second = rig(Some(directory.path()));
    let words = second.bind("MA", &[]).unwrap_err().words;
    assert!(words.starts_with("the database \"default\" is in use by another process, still after 3 s"), "{words}");
    // Whoever waits gets it as soon as the other has gone.
    let waited = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.bind("MA", &[]));
        first.unbind("MA").unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(waited, Ok(()));
    assert_eq!(get(&second, "MA"), r#"value="from the first" exists=true"#);
}

#[test]
fn a_write_past_its_deadline_is_not_done() {
    let rig = rig(None);
    rig.bind("MA", &[]).unwrap();
    let fields = support::arguments(&[("key", "k".into()), ("value", "late".into()), ("expires", 0.into())]);
    let refused = rig.call_within(Duration::ZERO, "MA", "Set", &fields).unwrap_err();
    assert!(refused.words.starts_with("the deadline passed"), "{}", refused.words);
    set(&rig, "MA", "after");
    assert_eq!(get(&rig, "MA"), r#"value="after" exists=true"#);
}

/// A read through many records ends by its deadline too; one of a single record has its answer anyway.
#[test]
fn a_read_past_its_deadline_ends() {
    let rig = rig(None);
    rig.bind("MA", &[]).unwrap();
    for (operation, key) in [("Push", "list"), ("SetAdd", "set")] {
        let fields = [("key", key.into()), ("value", "one".into())];
        assert!(!call(&rig, "MA", operation, &fields).starts_with('!'));
    }
    let key = |name: &'static str| vec![("key", name.into())];
    let keys = || vec![("keys", rmpv::Value::Array(vec!["set".into(), "set".into()]))];
    let late = "! the deadline passed before everything was read; ask for fewer items";
    let cases = [
        ("SetQuery", key("set"), late),
        ("SetUnion", keys(), late),
        ("SetIntersection", keys(), late),
        ("Range", [key("list"), vec![("start", 0.into()), ("stop", rmpv::Value::from(-1))]].concat(), late),
        ("Get", key("none"), ABSENT),
    ];
    for (operation, fields, expected) in cases {
        let answer = rig.call_within(Duration::ZERO, "MA", operation, &support::arguments(&fields));
        assert_eq!(support::shown(answer), expected, "{operation}");
    }
}

/// Each has a thread and a cache, so those in memory count as well.
#[test]
fn databases_are_bounded() {
    let rig = rig(None);
    for number in 0..32 {
        let actor = format!("M{number}");
        let place = if number % 2 == 0 { ("MEMORY", "true".to_owned()) } else { ("DB", format!("db{number}")) };
        rig.bind(&actor, &[(place.0, &place.1)]).unwrap();
    }
    for values in [("MEMORY", "true"), ("DB", "another")] {
        let words = rig.bind("MONE_MORE", &[values]).unwrap_err().words;
        assert_eq!(words, "32 databases are open already; remove a link first");
    }
    rig.bind("MONE_MORE", &[("DB", "db1")]).unwrap();
    rig.unbind("M0").unwrap();
    rig.bind("MANOTHER", &[("MEMORY", "true")]).unwrap();
}
