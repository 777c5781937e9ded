//! The provider through its C ABI, with the bytes that `wasmcloud-actor-logging` sends.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use cofferdam_logging::cofferdam_provider_v1;
use cofferdam_testkit::abi::{Level, Status};
use cofferdam_testkit::{Refused, Rig, no_actors};
use serde::Serialize;

#[derive(Serialize)]
struct WriteLogArgs<'a> {
    target: &'a str,
    level: &'a str,
    text: &'a str,
}

fn encode(target: &str, level: &str, text: &str) -> Vec<u8> {
    rmp_serde::to_vec_named(&WriteLogArgs { target, level, text }).unwrap()
}

#[test]
fn lines_reach_the_host() {
    let cases = [
        (encode("", "info", "hello"), Level::INFO, "[MA] hello"),
        (encode("app", "error", "no\nway"), Level::ERROR, "[MA] app: no\\nway"),
        (encode("app", "trace", ""), Level::DEBUG, "[MA] app: "),
    ];
    let rig = Rig::new(&cofferdam_provider_v1, no_actors).unwrap();
    rig.bind("MA", &[("ANY", "thing")]).unwrap();
    for (payload, level, text) in cases {
        assert_eq!(rig.call("MA", "WriteLog", &payload), Ok(Vec::new()));
        let line = rig.log().pop().unwrap();
        assert_eq!((line.level, line.text.as_str()), (level, text));
    }
    rig.unbind("MA").unwrap();
}

#[test]
fn mistakes_of_the_actor_are_told() {
    let cases: [(&str, &[u8], &str); 3] = [
        ("Write", b"", "unknown operation \"Write\""),
        ("WriteLog", b"", "the argument of WriteLog is not what the contract says"),
        ("WriteLog", b"\x81\xa4text\xa1x", "the argument of WriteLog is not what the contract says"),
    ];
    let rig = Rig::new(&cofferdam_provider_v1, no_actors).unwrap();
    for (operation, payload, words) in cases {
        let Err(Refused { status, words: found }) = rig.call("MA", operation, payload) else {
            panic!("{operation} was accepted")
        };
        assert_eq!(status, Status::FAILED);
        assert!(found.starts_with(words), "{found}");
    }
    assert!(rig.log().is_empty());
}
