//! A disk that is full: calls say so, and once there is room the same process goes on, with all that was acknowledged.
//!
//! The limit on the size of files stands for the end of the disk. It is the whole process's, and its signal has to be
//! ignored from the start, so the test runs itself again as a child.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cofferdam_testkit::Rig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::{call, rig};

const CHILD_DIR: &str = "COFFERDAM_TEST_KEYVALUE_FULL_DIR";
const ROOM_BYTES: u64 = 2 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

fn set(rig: &Rig, number: u32) -> String {
    let value = number.to_string().repeat(30_000);
    let fields = [("key", format!("k{number}").into()), ("value", value.into()), ("expires", 0.into())];
    call(rig, "MA", "Set", &fields)
}

fn holds(rig: &Rig, number: u32) -> bool {
    call(rig, "MA", "KeyExists", &[("key", format!("k{number}").into())]).ends_with("exists=true")
}

/// The child: does nothing unless the test below has started it.
#[test]
fn child_fills_the_disk() {
    let Some(directory) = std::env::var_os(CHILD_DIR) else { return };
    let directory = Path::new(&directory);
    let rig = rig(Some(directory));
    rig.bind("MA", &[]).unwrap();
    let size_bytes = directory.join("default.redb").metadata().unwrap().len();
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, size_bytes + ROOM_BYTES, hard).unwrap();
    let full_at = (0..10_000).find(|number| set(&rig, *number).starts_with("! the store failed: ")).unwrap();
    assert!(full_at > 0);
    // The write is answered a moment before the store is known to have failed.
    let give_up = Instant::now() + PATIENCE;
    while rig.health().is_ok() {
        assert!(Instant::now() < give_up, "a store that has failed is not healthy");
        std::thread::yield_now();
    }
    assert_eq!(rig.health().unwrap_err().words, "the database File(\"default\") has failed");
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = set(&rig, 10_000);
        if !answer.starts_with('!') {
            break;
        }
        assert!(answer.starts_with("! the database \"default\" has failed"), "{answer}");
        assert!(Instant::now() < give_up, "{answer}");
        std::thread::yield_now();
    }
    assert!((0..full_at).all(|number| holds(&rig, number)));
    assert_eq!(rig.health(), Ok(()));
    let log: Vec<_> = rig.log().into_iter().map(|line| line.text).collect();
    assert_eq!(log, ["the database \"default\" had failed and was opened again"]);
    println!("went on after {full_at}");
}

#[test]
fn a_full_disk_is_not_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_fills_the_disk", "--nocapture"])
        .env(CHILD_DIR, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("went on after"),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
}
