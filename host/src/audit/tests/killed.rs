//! `kill -9` of a host that writes.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::{Audit, AuditSizes};
use super::{actor_stopped, checked, folder, key, kinds, segments, started};

/// Names the directory, in the process that is to be killed.
const DOOMED: &str = "COFFERDAM_AUDIT_DOOMED";

/// Writes as fast as it can, and for ever.
fn doomed(dir: PathBuf) {
    let audit = Audit::start(&dir, key(), AuditSizes { segment_bytes: 1 << 20, segments_max: 50 }, |_| started());
    let auditor = audit.expect("it starts");
    for actor in 0.. {
        auditor.auditor().record(actor_stopped(actor));
    }
}

#[test]
fn a_killed_host_leaves_a_good_log() {
    if let Some(dir) = std::env::var_os(DOOMED) {
        return doomed(dir.into());
    }
    let dir = folder();
    let size =
        || segments(dir.path()).iter().filter_map(|path| path.metadata().ok()).map(|facts| facts.len()).sum::<u64>();
    for life in 1..=3 {
        let before = size();
        let mut host = Command::new(std::env::current_exe().expect("a test knows its own program"))
            .args(["audit::tests::killed::a_killed_host_leaves_a_good_log", "--exact", "--nocapture"])
            .env(DOOMED, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("a test can be run again");
        let began = Instant::now();
        while size() < before + 100_000 {
            assert!(began.elapsed() < Duration::from_secs(30), "it writes nothing");
            std::thread::yield_now();
        }
        host.kill().expect("it runs");
        host.wait().expect("it can be waited for");
        checked(dir.path(), None).expect("good, but for a torn line");
        let starts = kinds_of_starts(&dir);
        assert_eq!(starts, life);
    }
    Audit::start(dir.path(), key(), AuditSizes::default(), |_| started()).expect("it starts").close("stopped");
    let summary = checked(dir.path(), None).expect("good");
    assert_eq!((summary.torn_bytes, summary.unsigned), (0, 0));
    assert_eq!(kinds(dir.path()).iter().rev().nth(1).map(String::as_str), Some("host_stopped"));
}

/// How many hosts have started.
fn kinds_of_starts(dir: &tempfile::TempDir) -> usize {
    let mut starts = 0;
    super::super::read(dir.path(), |record| starts += usize::from(record.kind() == "host_started")).expect("readable");
    starts
}
