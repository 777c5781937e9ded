//! Every operation of the contract, on disk and in memory: arguments in, answers out, in one order.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use rmpv::Value;
use support::{arguments, call, rig, shown};

const ACTOR: &str = "MACTOR";

/// A step: operation, key, the other arguments, and the answer.
type Step = (&'static str, &'static str, Vec<(&'static str, Value)>, &'static str);

fn value(text: &str) -> Vec<(&'static str, Value)> {
    vec![("value", text.into())]
}

fn set(text: &str, expires: i32) -> Vec<(&'static str, Value)> {
    vec![("value", text.into()), ("expires", expires.into())]
}

fn add(number: i32) -> Vec<(&'static str, Value)> {
    vec![("value", number.into())]
}

fn range(start: i32, stop: i32) -> Vec<(&'static str, Value)> {
    vec![("start", start.into()), ("stop", stop.into())]
}

fn keys(names: &[&str]) -> Vec<(&'static str, Value)> {
    vec![("keys", Value::Array(names.iter().map(|name| (*name).into()).collect()))]
}

fn texts() -> Vec<Step> {
    vec![
        ("Get", "t", vec![], r#"value="" exists=false"#),
        ("KeyExists", "t", vec![], r#"value="" exists=false"#),
        ("Set", "t", set("first", 0), r#"value="first""#),
        ("Get", "t", vec![], r#"value="first" exists=true"#),
        ("KeyExists", "t", vec![], r#"value="" exists=true"#),
        ("Set", "t", set("second ✓", 3600), r#"value="second ✓""#),
        ("Get", "t", vec![], r#"value="second ✓" exists=true"#),
        ("Set", "t", set("", 0), r#"value="""#),
        ("Get", "t", vec![], r#"value="" exists=true"#),
        ("Set", "t", set("x", -1), "! a value can't expire -1 seconds from now: give 0 for never, or more"),
        ("Del", "t", vec![], r#"key="t""#),
        ("Get", "t", vec![], r#"value="" exists=false"#),
        ("Del", "t", vec![], r#"key="t""#),
    ]
}

fn counters() -> Vec<Step> {
    let overflow = r#"! adding 1 to "n" would leave the range of 32-bit integers; it was not changed"#;
    let no_integer = r#"! the value of "n" is not an integer, so nothing can be added to it"#;
    vec![
        ("Add", "n", add(1), "value=1"),
        ("Add", "n", add(41), "value=42"),
        ("Add", "n", add(-50), "value=-8"),
        ("Get", "n", vec![], r#"value="-8" exists=true"#),
        ("Set", "n", set("2147483646", 0), r#"value="2147483646""#),
        ("Add", "n", add(1), "value=2147483647"),
        ("Add", "n", add(1), overflow),
        ("Get", "n", vec![], r#"value="2147483647" exists=true"#),
        ("Set", "n", set("9223372036854775807", 0), r#"value="9223372036854775807""#),
        ("Add", "n", add(1), overflow),
        ("Set", "n", set("007", 0), r#"value="007""#),
        ("Add", "n", add(1), no_integer),
        ("Set", "n", set("", 0), r#"value="""#),
        ("Add", "n", add(1), no_integer),
        ("Del", "n", vec![], r#"key="n""#),
    ]
}

fn lists() -> Vec<Step> {
    vec![
        ("Range", "l", range(0, -1), "values=[]"),
        ("Push", "l", value("a"), "newCount=1"),
        ("Push", "l", value("b"), "newCount=2"),
        ("Push", "l", value("c"), "newCount=3"),
        ("Push", "l", value("b"), "newCount=4"),
        ("Range", "l", range(0, -1), r#"values=["b", "c", "b", "a"]"#),
        ("Range", "l", range(0, 0), r#"values=["b"]"#),
        ("Range", "l", range(1, 2), r#"values=["c", "b"]"#),
        ("Range", "l", range(-2, -1), r#"values=["b", "a"]"#),
        ("Range", "l", range(-100, 1), r#"values=["b", "c"]"#),
        ("Range", "l", range(2, 1), "values=[]"),
        ("Range", "l", range(0, 100), r#"values=["b", "c", "b", "a"]"#),
        ("Range", "l", range(4, 9), "values=[]"),
        ("Range", "l", range(0, -5), "values=[]"),
        ("Range", "l", range(i32::MIN, i32::MAX), r#"values=["b", "c", "b", "a"]"#),
        ("ListItemDelete", "l", value("b"), "newCount=2"),
        ("Range", "l", range(0, -1), r#"values=["c", "a"]"#),
        ("Range", "l", range(1, 1), r#"values=["a"]"#),
        ("ListItemDelete", "l", value("absent"), "newCount=0"),
        ("ListItemDelete", "l", value("c"), "newCount=1"),
        ("ListItemDelete", "l", value("a"), "newCount=1"),
        ("KeyExists", "l", vec![], r#"value="" exists=false"#),
        ("Push", "l", value("again"), "newCount=1"),
        ("Clear", "l", vec![], r#"key="l""#),
        ("Range", "l", range(0, -1), "values=[]"),
        ("Push", "l", value("new"), "newCount=1"),
        ("Range", "l", range(0, -1), r#"values=["new"]"#),
        ("Clear", "l", vec![], r#"key="l""#),
    ]
}

fn sets() -> Vec<Step> {
    vec![
        ("SetQuery", "s", vec![], "values=[]"),
        ("SetAdd", "s", value("red"), "new_count=1"),
        ("SetAdd", "s", value("green"), "new_count=1"),
        ("SetAdd", "s", value("red"), "new_count=0"),
        ("SetAdd", "r", value("green"), "new_count=1"),
        ("SetAdd", "r", value("blue"), "new_count=1"),
        // Neighbours in the order of keys: neither belongs to "s".
        ("SetAdd", "s\0", value("neighbour"), "new_count=1"),
        ("SetAdd", "sa", value("neighbour"), "new_count=1"),
        ("SetQuery", "s", vec![], r#"values=["green", "red"]"#),
        ("SetUnion", "", keys(&["s", "r"]), r#"values=["blue", "green", "red"]"#),
        ("SetUnion", "", keys(&["s", "absent"]), r#"values=["green", "red"]"#),
        ("SetIntersection", "", keys(&["s", "r"]), r#"values=["green"]"#),
        ("SetIntersection", "", keys(&["s"]), r#"values=["green", "red"]"#),
        ("SetIntersection", "", keys(&["s", "absent"]), "values=[]"),
        ("SetUnion", "", keys(&[]), "! SetUnion needs 1 to 1024 keys, it was given 0"),
        ("SetIntersection", "", keys(&[]), "! SetIntersection needs 1 to 1024 keys, it was given 0"),
        ("SetRemove", "s", value("red"), "new_count=1"),
        ("SetRemove", "s", value("red"), "new_count=0"),
        ("SetRemove", "s", value("green"), "new_count=1"),
        ("KeyExists", "s", vec![], r#"value="" exists=false"#),
        ("SetRemove", "s", value("green"), "new_count=0"),
        ("SetAdd", "s", value("x"), "new_count=1"),
        ("Del", "s", vec![], r#"key="s""#),
        ("SetQuery", "s", vec![], "values=[]"),
        ("SetQuery", "s\0", vec![], r#"values=["neighbour"]"#),
        ("SetQuery", "sa", vec![], r#"values=["neighbour"]"#),
    ]
}

fn wrong_kinds() -> Vec<Step> {
    vec![
        ("Set", "text", set("x", 0), r#"value="x""#),
        ("Push", "list", value("x"), "newCount=1"),
        ("SetAdd", "set", value("x"), "new_count=1"),
        ("Push", "text", value("x"), r#"! the key "text" holds a value, this operation works on a list"#),
        ("SetAdd", "text", value("x"), r#"! the key "text" holds a value, this operation works on a set"#),
        ("Range", "text", range(0, -1), r#"! the key "text" holds a value, this operation works on a list"#),
        ("SetQuery", "text", vec![], r#"! the key "text" holds a value, this operation works on a set"#),
        ("Get", "list", vec![], r#"! the key "list" holds a list, this operation works on a value"#),
        ("Add", "list", add(1), r#"! the key "list" holds a list, this operation works on a value"#),
        ("ListItemDelete", "set", value("x"), r#"! the key "set" holds a set, this operation works on a list"#),
        ("SetRemove", "list", value("x"), r#"! the key "list" holds a list, this operation works on a set"#),
        ("SetUnion", "", keys(&["set", "list"]), r#"! the key "list" holds a list, this operation works on a set"#),
        (
            "SetIntersection",
            "",
            keys(&["absent", "text"]),
            r#"! the key "text" holds a value, this operation works on a set"#,
        ),
        ("Get", "text", vec![], r#"value="x" exists=true"#),
        ("Set", "list", set("now a value", 0), r#"value="now a value""#),
        ("Get", "list", vec![], r#"value="now a value" exists=true"#),
        ("Del", "set", vec![], r#"key="set""#),
        ("Get", "set", vec![], r#"value="" exists=false"#),
    ]
}

#[test]
fn every_operation() {
    for place in [("DB", "tour"), ("MEMORY", "true")] {
        let rig = rig(None);
        rig.bind(ACTOR, &[place]).unwrap();
        for steps in [texts(), counters(), lists(), sets(), wrong_kinds()] {
            for (operation, key, mut fields, expected) in steps {
                if !operation.starts_with("SetUnion") && !operation.starts_with("SetIntersection") {
                    fields.insert(0, ("key", key.into()));
                }
                assert_eq!(call(&rig, ACTOR, operation, &fields), expected, "{operation} {fields:?} {place:?}");
            }
        }
    }
}

#[test]
fn bad_arguments() {
    let key_of = |bytes: usize| arguments(&[("key", "k".repeat(bytes).into())]);
    let many = |count: usize| arguments(&keys(&vec!["k"; count]));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("Get", vec![], "! the argument of Get is not what the contract says: "),
        ("Get", vec![0xC1], "! the argument of Get is not what the contract says: "),
        ("Get", arguments(&[("kee", "x".into())]), "! the argument of Get is not what the contract says: "),
        ("Get", arguments(&[("key", 7.into())]), "! the argument of Get is not what the contract says: "),
        ("Get", key_of(64 * 1024), r#"value="" exists=false"#),
        ("Get", key_of(64 * 1024 + 1), "! a key of 65537 bytes is too long: keys have at most 65536"),
        ("Del", key_of(64 * 1024 + 1), "! a key of 65537 bytes is too long: keys have at most 65536"),
        ("SetUnion", many(1024), "values=[]"),
        ("SetUnion", many(1025), "! SetUnion needs 1 to 1024 keys, it was given 1025"),
        ("get", key_of(1), r#"! unknown operation "get""#),
        ("", key_of(1), r#"! unknown operation """#),
    ];
    let rig = rig(None);
    rig.bind(ACTOR, &[("MEMORY", "true")]).unwrap();
    for (operation, payload, expected) in cases {
        let answer = shown(rig.call(ACTOR, operation, &payload));
        assert!(answer.starts_with(expected), "{operation}: {answer}");
    }
}

#[test]
fn an_answer_too_long_is_refused() {
    let settings = cofferdam_testkit::Settings { payload_bytes_max: 1000, ..Default::default() };
    let exported = &cofferdam_keyvalue::cofferdam_provider_v1;
    let rig = cofferdam_testkit::Rig::with(exported, settings, cofferdam_testkit::no_actors).unwrap();
    rig.bind(ACTOR, &[("MEMORY", "true")]).unwrap();
    for number in 0..10 {
        let item = format!("{number}{}", "x".repeat(104));
        call(&rig, ACTOR, "Push", &[("key", "l".into()), ("value", item.clone().into())]);
        call(&rig, ACTOR, "SetAdd", &[("key", "s".into()), ("value", item.into())]);
    }
    let words = "! the answer would exceed 1000 bytes; ask for fewer items";
    let range =
        |stop: i32| call(&rig, ACTOR, "Range", &[("key", "l".into()), ("start", 0.into()), ("stop", stop.into())]);
    assert!(range(7).starts_with("values="));
    assert_eq!(range(8), words);
    assert_eq!(call(&rig, ACTOR, "SetQuery", &[("key", "s".into())]), words);
}
