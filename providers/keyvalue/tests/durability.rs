//! `kill -9` in the middle of writes: everything that was acknowledged is there afterwards.
//!
//! The test runs itself again as a child that writes from several threads and prints each number once it is acknowledged;
//! it kills the child after some hundred lines, opens the file, and looks for every number that was printed.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{call, rig};

const ACTOR: &str = "MACTOR";
const CHILD_DIR: &str = "COFFERDAM_TEST_KEYVALUE_DIR";
const CHILD_TIME_MAX: Duration = Duration::from_secs(60);
const WRITERS: u32 = 8;
const ACKNOWLEDGED_BEFORE_KILL: usize = 200;
const ROUNDS: u32 = 3;

/// The child: does nothing unless the test below has started it.
#[test]
fn child_writes_until_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIR) else { return };
    let rig = rig(Some(Path::new(&directory)));
    rig.bind(ACTOR, &[]).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let rig = &rig;
            scope.spawn(move || {
                for number in 0.. {
                    write(rig, writer, number);
                    // A line is one write to a pipe, so lines of several threads don't mix.
                    let _ = std::io::stdout().write_all(format!("ACK {writer} {number}\n").as_bytes());
                }
            });
        }
    });
}

fn write(rig: &cofferdam_testkit::Rig, writer: u32, number: u32) {
    let key = || ("key", format!("{writer}").into());
    let steps = [
        (
            "Set",
            vec![
                ("key", format!("{writer}:{number}").into()),
                ("value", "x".repeat(100).into()),
                ("expires", 0.into()),
            ],
        ),
        ("Push", vec![("key", format!("list:{writer}").into()), ("value", format!("{number}").into())]),
        ("Add", vec![key(), ("value", 1.into())]),
    ];
    for (operation, fields) in steps {
        let answer = call(rig, ACTOR, operation, &fields);
        assert!(!answer.starts_with('!'), "{operation}: {answer}");
    }
}

fn start_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child_writes_until_killed", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The highest number that each writer was told is written, once enough were, and the child killed.
fn acknowledged_at_kill(directory: &Path) -> Vec<Option<u32>> {
    let mut child = start_child(directory);
    let (done, watched) = std::sync::mpsc::channel::<()>();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    // A child that hangs must not hang the test; not yet waited for, its id is nobody else's.
    let watchdog = std::thread::spawn(move || {
        if watched.recv_timeout(CHILD_TIME_MAX) == Err(RecvTimeoutError::Timeout) {
            kill(pid, Signal::SIGKILL).unwrap();
        }
    });
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut highest = vec![None; WRITERS as usize];
    for (count, line) in lines.map_while(Result::ok).filter(|line| line.starts_with("ACK ")).enumerate() {
        let mut words = line.split(' ').skip(1).map(|word| word.parse::<u32>().unwrap());
        let (writer, number) = (words.next().unwrap(), words.next().unwrap());
        highest[writer as usize] = Some(number);
        if count == ACKNOWLEDGED_BEFORE_KILL {
            // SIGKILL; what is still in the pipe was acknowledged too, so reading goes on.
            child.kill().unwrap();
        }
    }
    drop(done);
    watchdog.join().unwrap();
    child.wait().unwrap();
    highest
}

#[test]
fn nothing_acknowledged_is_lost_by_kill() {
    for round in 0..ROUNDS {
        let directory = tempfile::tempdir().unwrap();
        let highest = acknowledged_at_kill(directory.path());
        assert!(highest.iter().any(Option::is_some), "the child wrote nothing");
        let rig = rig(Some(directory.path()));
        rig.bind(ACTOR, &[]).unwrap();
        for (writer, highest) in highest.into_iter().enumerate() {
            let Some(highest) = highest else { continue };
            for number in 0..=highest {
                let answer = call(&rig, ACTOR, "Get", &[("key", format!("{writer}:{number}").into())]);
                assert!(answer.ends_with("exists=true"), "round {round}: {writer}:{number} of {highest} is lost");
            }
            let counter = call(&rig, ACTOR, "Add", &[("key", format!("{writer}").into()), ("value", 0.into())]);
            let counted: u32 = counter.trim_start_matches("value=").parse().unwrap();
            // One write may have been committed and not yet told.
            assert!((highest + 1..=highest + 2).contains(&counted), "round {round}: {counted} of {highest}");
        }
    }
}

/// A clean end and a new start keep everything too.
#[test]
fn a_new_process_reads_what_the_old_one_wrote() {
    let directory = tempfile::tempdir().unwrap();
    for expected in 1..4 {
        let rig = rig(Some(directory.path()));
        rig.bind(ACTOR, &[]).unwrap();
        let answer = call(&rig, ACTOR, "Add", &[("key", "starts".into()), ("value", 1.into())]);
        assert_eq!(answer, format!("value={expected}"));
    }
}
