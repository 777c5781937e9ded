//! The log on its disk: what a crash leaves, how segments take turns, and what happens when nothing can be written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::super::{Audit, AuditError};
use super::{AuditSizes, actor_stopped, checked, folder, key, kinds, lines, segments, set_lines, started, write};

const SMALL: AuditSizes = AuditSizes { segment_bytes: 4000, segments_max: 3 };

/// Starts and closes a host's log.
fn restart(dir: &std::path::Path) -> Result<String, AuditError> {
    let mut seen = String::new();
    let note = |previous: crate::words::Brief| {
        previous.as_str().clone_into(&mut seen);
        started()
    };
    Audit::start(dir, key(), AuditSizes::default(), note)?.close("stopped");
    Ok(seen)
}

#[test]
fn segments_take_turns_within_their_bounds() {
    let dir = folder();
    let head = write(dir.path(), SMALL, 300, 4);
    let summary = checked(dir.path(), Some(&head)).expect("good");
    assert!(summary.first_seq > 1 && summary.tip.seq > 300, "{summary:?}");
    let sizes: Vec<u64> = segments(dir.path()).iter().map(|path| fs::metadata(path).expect("there").len()).collect();
    assert!(sizes.len() == 3 && sizes.iter().all(|bytes| *bytes < 4000 + 3000), "{sizes:?}");
    for path in segments(dir.path()) {
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, 0o600);
    }
    // A head of what has gone is no use any more, and that is said.
    let gone = write(folder().path(), SMALL, 1, 4);
    let finding = checked(dir.path(), Some(&gone)).expect_err("it went");
    assert_eq!(finding.kind(), "audit_outdated");
    // Nor can anybody else remove a segment and say it was the host.
    fs::remove_file(&segments(dir.path())[0]).expect("it is there");
    let finding = checked(dir.path(), None).expect_err("nobody removed it");
    assert_eq!(finding.kind(), "audit_removed", "{finding}");
}

#[test]
fn a_torn_tail_is_cut_off_and_noted() {
    let whole = folder();
    write(whole.path(), AuditSizes::default(), 3, 1);
    let whole = lines(whole.path());
    let last = whole.last().expect("it has lines");
    for torn in [0, 1, 7, 30, last.len() / 2, last.len() - 1] {
        let dir = folder();
        write(dir.path(), AuditSizes::default(), 3, 1);
        let mut cut = whole.clone();
        *cut.last_mut().expect("it has lines") = last[..torn].to_vec();
        set_lines(dir.path(), &cut);
        assert_eq!(checked(dir.path(), None).expect("a crash is no fault").torn_bytes, torn as u64);
        assert_eq!(restart(dir.path()).expect("it starts"), "killed");
        let mut expected: Vec<&str> =
            ["host_started", "head", "actor_stopped", "actor_stopped", "actor_stopped"].into();
        expected.extend(["head", "host_started", "head"]);
        expected.extend((torn > 0).then_some(["tail_repaired", "head"]).into_iter().flatten());
        expected.extend(["host_stopped", "head"]);
        assert_eq!(kinds(dir.path()), expected, "{torn}");
        let summary = checked(dir.path(), None).expect("good again");
        assert_eq!((summary.torn_bytes, summary.found_heads, summary.unsigned), (0, 1, 0));
        assert_eq!(restart(dir.path()).expect("it starts"), "stopped");
    }
}

#[test]
fn nothing_of_a_first_record_is_left() {
    let dir = folder();
    write(dir.path(), AuditSizes::default(), 0, 1);
    let torn = lines(dir.path())[0][..40].to_vec();
    set_lines(dir.path(), &[torn]);
    assert_eq!(restart(dir.path()).expect("it starts"), "none");
    assert_eq!(kinds(dir.path()), ["host_started", "head", "tail_repaired", "head", "host_stopped", "head"]);
    checked(dir.path(), None).expect("good");
}

#[test]
fn a_damaged_segment_is_kept_and_the_chain_goes_on() {
    let dir = folder();
    write(dir.path(), AuditSizes::default(), 3, 1);
    let mut damaged = lines(dir.path());
    damaged[3][10] ^= 1;
    set_lines(dir.path(), &damaged);
    assert_eq!(restart(dir.path()).expect("it starts"), "killed");
    assert_eq!(lines(dir.path()), damaged, "evidence");
    assert_eq!(segments(dir.path()).len(), 2);
    let finding = checked(dir.path(), None).expect_err("it was altered").to_string();
    assert!(finding.starts_with("0000000000000001.jsonl:4: record 4 was altered"), "{finding}");
    set_lines(dir.path(), &[b"nothing\n".to_vec()]);
    fs::remove_file(&segments(dir.path())[1]).expect("it is there");
    let error = restart(dir.path()).expect_err("there is nothing to continue");
    assert!(matches!(error, AuditError::NoTip { .. }), "{error}");
}

#[test]
fn only_its_owner_may_use_it() {
    let dir = folder();
    let log = dir.path().join("audit");
    restart(&log).expect("it is made");
    assert_eq!(fs::metadata(&log).expect("there").permissions().mode() & 0o777, 0o700);
    fs::set_permissions(&log, fs::Permissions::from_mode(0o750)).expect("it is ours");
    let error = restart(&log).expect_err("others may look");
    assert!(error.to_string().ends_with("is not safe to use: others can use it (mode 750)"), "{error}");
}

/// The directory goes for a while, and a new segment is due.
#[test]
fn what_cannot_be_written_waits() {
    let folder = folder();
    let [log, aside] = ["audit", "aside"].map(|name| folder.path().join(name));
    let sizes = AuditSizes { segment_bytes: 1, segments_max: 1000 };
    let audit = Audit::start(&log, key(), sizes, |_| started()).expect("it starts");
    assert_eq!(audit.state(), "ok");
    fs::rename(&log, &aside).expect("it can be moved");
    audit.auditor().record(actor_stopped(1));
    let until = |what: &str, is_so: &dyn Fn(&str) -> bool| {
        let began = Instant::now();
        while !is_so(&audit.state()) {
            assert!(began.elapsed() < Duration::from_secs(30), "waited in vain: {what}: {}", audit.state());
            std::thread::yield_now();
        }
    };
    until("it is behind", &|state| state.starts_with("behind for ") && state.contains("No such file"));
    audit.auditor().record(actor_stopped(2));
    fs::rename(&aside, &log).expect("it can be moved");
    until("it is not", &|state| state == "ok");
    audit.close("stopped");
    checked(&log, None).expect("good");
    let kinds: Vec<String> = kinds(&log).into_iter().filter(|kind| kind != "head").collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "actor_stopped").count(), 2, "{kinds:?}");
    assert!(kinds.contains(&"delayed".to_owned()), "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some("host_stopped"));
}
