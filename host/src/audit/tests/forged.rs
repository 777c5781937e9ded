//! What somebody can do who may write to the log, and has not the host's key.

use cofferdam_claims::KeyKind;

use super::super::head::SignedHead;
use super::super::log::{Log, Sign};
use super::super::record::{Note, Tip, Told, append};
use super::super::{AuditSizes, Expected, UNSIGNED_MAX};
use super::{actor_stopped, checked, folder, key, lines, set_lines, stamped, started, time, write};

/// What is written instead of the head that a log has to have.
enum Heads {
    None,
    OfAnother,
}

/// A log that is whole but for its heads.
fn forge(dir: &std::path::Path, heads: Heads, count: u64) {
    write(dir, AuditSizes::default(), 0, 1);
    let (mut bytes, mut tip) = (Vec::new(), Tip::default());
    append(&mut bytes, &mut tip, time(0), &Told::Event(started()));
    if let Heads::OfAnother = heads {
        let head = SignedHead::sign(&KeyKind::Host.generate(), tip).expect("it can sign").to_string();
        append(&mut bytes, &mut tip, time(0), &Told::Note(Note::Head { head, found: false }));
    }
    for event in stamped((0..count).map(actor_stopped)) {
        append(&mut bytes, &mut tip, event.time, &event.told);
    }
    set_lines(dir, &[bytes]);
}

#[test]
fn a_chain_needs_the_heads_of_its_host() {
    let cases = [
        (
            Heads::None,
            3,
            "0000000000000001.jsonl:2: record 2 is not the head that has to be there: one follows each start of a host",
        ),
        (Heads::None, 0, "0000000000000001.jsonl:1: record 1 is signed by no host, nor is any other"),
        (Heads::OfAnother, 3, "0000000000000001.jsonl:2: record 2 is not the host's: it is a head of the host N"),
    ];
    for (heads, count, expected) in cases {
        let dir = folder();
        forge(dir.path(), heads, count);
        let finding = checked(dir.path(), None).expect_err(expected).to_string();
        assert!(finding.starts_with(expected), "{finding}");
    }
}

/// A genuine start of a log, and what somebody has added to it.
#[test]
fn what_is_added_goes_not_far_without_a_head() {
    for (count, is_found) in [(UNSIGNED_MAX, false), (UNSIGNED_MAX + 1, true)] {
        let dir = folder();
        let head = write(dir.path(), AuditSizes::default(), 0, 1);
        let mut tip = checked(dir.path(), None).expect("good").tip;
        let mut bytes = lines(dir.path()).concat();
        for event in stamped((0..count).map(actor_stopped)) {
            append(&mut bytes, &mut tip, event.time, &event.told);
        }
        set_lines(dir.path(), &[bytes]);
        let found = checked(dir.path(), Some(&head));
        match found {
            Ok(summary) => assert_eq!((summary.unsigned, is_found), (count, false)),
            Err(finding) => {
                let place = format!("0000000000000001.jsonl:{}: record {0} is one too many", count + 2);
                assert!(is_found && finding.to_string().starts_with(&place), "{finding}");
            }
        }
    }
}

#[test]
fn a_head_that_was_kept_is_of_this_log() {
    let (dir, other) = (folder(), folder());
    let head = write(dir.path(), AuditSizes::default(), 5, 1);
    // As whoever has the key could write it again: as many records, and others.
    let (mut log, _) = Log::open(other.path(), key(), AuditSizes::default()).expect("it can be opened");
    let events = stamped(std::iter::once(started()).chain((100..105).map(actor_stopped)));
    log.commit(&events, Sign::Now).expect("it can be written");
    checked(other.path(), None).expect("good, by itself");
    let finding = checked(other.path(), Some(&head)).expect_err("another log");
    assert_eq!((finding.kind(), finding.seq), ("audit_rewritten", head.tip().seq), "{finding}");
    let foreign = SignedHead::sign(&KeyKind::Host.generate(), head.tip()).expect("it can sign");
    let error = Expected::new(Some(key().public_key()), Some(foreign)).expect_err("another host's");
    assert!(error.to_string().starts_with("it is a head of the host N"), "{error}");
    let text = head.to_string();
    let (whole, digit) = text.rsplit_once(':').expect("it has parts");
    let forged = format!("{whole}:{}{}", if digit.starts_with('A') { 'B' } else { 'A' }, &digit[1..]);
    let forged = SignedHead::parse(&forged).expect("it looks like one");
    let error = Expected::new(None, Some(forged)).expect_err("a wrong signature");
    assert!(error.to_string().starts_with("its signature is not that of the host N"), "{error}");
    for wrong in [
        "",
        "cofferdam-audit-head:1:",
        "cofferdam-audit-head:2:N:1:a:b",
        &text[..text.len() - 1],
        &text.replace(":1:N", ":1:M"),
    ] {
        assert!(SignedHead::parse(wrong).is_err(), "{wrong}");
    }
}
