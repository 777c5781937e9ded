//! The provider through its C ABI, as the shim calls it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use cofferdam_template::cofferdam_provider_v1;
use cofferdam_testkit::abi::Status;
use cofferdam_testkit::{Rig, no_actors};

#[test]
fn echo_answers_what_it_was_sent_and_nothing_else() {
    let rig = Rig::new(&cofferdam_provider_v1, no_actors).unwrap();
    rig.bind("MA", &[]).unwrap();
    for payload in [&b""[..], b"x", &[7; 100_000]] {
        assert_eq!(rig.call("MA", "Echo", payload).unwrap(), payload);
    }
    let refused = rig.call("MA", "Shout", b"").unwrap_err();
    assert_eq!((refused.status, refused.words.as_str()), (Status::FAILED, "unknown operation \"Shout\""));
    rig.unbind("MA").unwrap();
}
