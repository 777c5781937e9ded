//! Nobody fills the log, or pushes others out of it.

use std::time::{Duration, Instant};

use super::super::queue::{Queue, WAITING_MAX};
use super::super::record::{Note, Told};
use super::super::tally::{KEYS_MAX, PARTIES_MAX, Tally};
use super::super::{Audit, AuditSizes};
use super::{actor_stopped, checked, folder, key, started};
use crate::words::{AuditEvent, Auditor as _, Denied, DeniedBecause};

const LONG: Duration = Duration::from_secs(60);

fn denied<'a>(origin: &'a str, operation: &'a str) -> Denied<'a> {
    Denied { origin, target: "wasmcloud:keyvalue", operation, reason: DeniedBecause::Claims }
}

fn counts(events: &[AuditEvent]) -> u64 {
    let count = |event: &AuditEvent| match event {
        AuditEvent::Denied { count, .. } | AuditEvent::Granted { count, .. } => *count,
        other => panic!("{other:?}"),
    };
    events.iter().map(count).sum()
}

#[test]
fn denials_are_counted_within_bounds() {
    // Actors, operations of each, how often each, and how many records at most: one at once and one at the end for each key.
    let keys = u64::from(KEYS_MAX) + 1;
    let parties = PARTIES_MAX as u64;
    let cases = [
        (1, 1, 1, 1),
        (1, 1, 10_000, 2),
        (1, 10_000, 2, 2 * keys),
        (3, 100, 5, 3 * 2 * keys),
        (10_000, 3, 1, 2 * (parties * keys + 1)),
    ];
    for (actors, operations, times, records_max) in cases {
        let (mut tally, now, mut events) = (Tally::new(LONG), Instant::now(), Vec::new());
        for actor in 0..actors {
            for call in 0..operations * times {
                let (actor, operation) = (format!("M{actor}"), format!("Op{}", call % operations));
                events.extend(tally.denied(denied(&actor, &operation), now));
            }
        }
        assert_eq!(tally.ends(), Some(now + LONG));
        events.extend(tally.end());
        assert_eq!(counts(&events), actors * operations * times, "none is forgotten");
        assert!(events.len() as u64 <= records_max, "{} of {actors}, {operations}, {times}", events.len());
        assert_eq!(tally.ends(), None);
    }
}

#[test]
fn who_floods_hides_nobody_else() {
    let (mut tally, now) = (Tally::new(LONG), Instant::now());
    for call in 0..1000 {
        tally.denied(denied("MFLOOD", &format!("Op{call}")), now);
    }
    let told = tally.denied(denied("MQUIET", "Get"), now).expect("it is told at once");
    let AuditEvent::Denied { origin, operation, count: 1, .. } = told else { panic!("{told:?}") };
    assert_eq!((origin.as_str(), operation.as_str()), ("MQUIET", "Get"));
}

#[test]
fn what_repeats_is_told_at_once_and_then_counted() {
    let granted = |subject: &str| AuditEvent::Granted {
        provider: "V".into(),
        link: "default".into(),
        want: "connect".into(),
        subject: subject.into(),
        count: 1,
    };
    let (mut tally, now) = (Tally::new(LONG), Instant::now());
    assert_eq!(tally.event(granted("a:1"), now), Some(granted("a:1")));
    for _ in 0..5 {
        assert_eq!(tally.event(granted("a:1"), now), None);
    }
    assert_eq!(tally.event(granted("b:1"), now), Some(granted("b:1")));
    let ended = tally.end();
    assert_eq!((ended.len(), counts(&ended)), (1, 5));
    for _ in 0..3 {
        // What nobody can repeat at will is never counted.
        assert_eq!(tally.event(actor_stopped(1), now), Some(actor_stopped(1)));
    }
}

#[test]
fn a_flood_is_some_records_in_the_log() {
    let dir = folder();
    let audit = Audit::start(dir.path(), key(), AuditSizes::default(), |_| started()).expect("it starts");
    let auditor = audit.auditor();
    std::thread::scope(|scope| {
        for flood in 0..4 {
            let auditor = &auditor;
            scope.spawn(move || {
                for call in 0..5_000 {
                    auditor.denied(denied("MFLOOD", &format!("{flood}/{call}")));
                }
            });
        }
    });
    audit.close("stopped");
    let mut total = 0;
    super::super::read(dir.path(), |record| total += record.event["count"].as_u64().unwrap_or(0)).expect("readable");
    assert_eq!(total, 20_000);
    let summary = checked(dir.path(), None).expect("good");
    assert!(summary.tip.seq < 40, "{summary:?}");
    assert_eq!(summary.unsigned, 0, "a log that was closed is signed");
}

#[test]
fn what_finds_no_place_is_counted_as_lost() {
    let queue = Queue::new(LONG);
    for actor in 0..WAITING_MAX as u64 + 5 {
        queue.record(actor_stopped(actor));
    }
    queue.record(started());
    assert_eq!(queue.health().lost, 6);
    let taken = queue.take();
    assert_eq!(taken.events.len(), WAITING_MAX + 2);
    let told: Vec<&Told> = taken.events[WAITING_MAX..].iter().map(|stamped| &stamped.told).collect();
    let lost = |of, count| Told::Note(Note::Lost { of, count });
    assert_eq!(told, [&lost("actor_stopped", 5), &lost("host_started", 1)]);
}
