//! A record of each kind, byte by byte. A released record never changes.

use std::fmt::Write as _;

use super::super::head::SignedHead;
use super::super::record::{Note, RecordHash, Tip, Told, append};
use super::super::{LINE_BYTES_MAX, Record};
use super::{key, started, time};
use crate::words::{AuditEvent, Brief, DeniedBecause};

#[expect(clippy::too_many_lines, reason = "a table with a row for each kind")]
fn events() -> Vec<AuditEvent> {
    let text = |text: &str| Brief::from(text);
    let (actor, contract, link, provider) =
        (text("MACTOR"), text("wasmcloud:keyvalue"), text("default"), text("VPROV"));
    let (issuer, hash, image) = (text("AISSUER"), text("0123ABCD"), text("echo.wasm"));
    let refused = (text("claims_refused"), text("echo.wasm: the claims expired"));
    vec![
        started(),
        AuditEvent::HostStopped { why: text("stopped") },
        AuditEvent::ActorStarted {
            actor: actor.clone(),
            name: text("Echo"),
            issuer: issuer.clone(),
            hash: hash.clone(),
            image: image.clone(),
            metered: true,
        },
        AuditEvent::ActorRefused { actor: text(""), image, error: refused.0.clone(), reason: refused.1.clone() },
        AuditEvent::ActorStopped { actor: actor.clone() },
        AuditEvent::ProviderStarted {
            provider: provider.clone(),
            link: link.clone(),
            contract: contract.clone(),
            name: text("Store"),
            issuer,
            hash,
            image: text("store.par.gz"),
        },
        AuditEvent::ProviderRefused {
            provider: provider.clone(),
            link: link.clone(),
            image: text("store.par.gz"),
            error: refused.0.clone(),
            reason: refused.1.clone(),
        },
        AuditEvent::ProviderStopped { provider: provider.clone(), link: link.clone() },
        AuditEvent::ProviderCrashed {
            provider: provider.clone(),
            link: link.clone(),
            generation: 1,
            pid: Some(77),
            cause: text("killed by signal 11 (SIGSEGV)"),
            decision: text("it is restarted now"),
        },
        AuditEvent::ProviderRestarted { provider: provider.clone(), link: link.clone(), generation: 2, pid: 78 },
        AuditEvent::ProviderHeld {
            provider: provider.clone(),
            link: link.clone(),
            generation: 6,
            why: text("exited with code 1"),
        },
        AuditEvent::LinkSet {
            actor: actor.clone(),
            contract: contract.clone(),
            link: link.clone(),
            provider: provider.clone(),
            values: vec![text("PORT"), text("URL")],
        },
        AuditEvent::LinkRefused {
            actor: actor.clone(),
            contract: contract.clone(),
            link: link.clone(),
            provider: provider.clone(),
            error: text("link_denied"),
            reason: text("actor MACTOR cannot be linked\nfor wasmcloud:keyvalue"),
        },
        AuditEvent::LinkRemoved {
            actor: actor.clone(),
            contract: contract.clone(),
            link: link.clone(),
            provider: provider.clone(),
        },
        AuditEvent::Denied {
            origin: actor,
            target: contract,
            operation: text("Get"),
            reason: DeniedBecause::Claims,
            count: 3,
        },
        AuditEvent::Granted {
            provider: provider.clone(),
            link: link.clone(),
            want: text("listen"),
            subject: text("127.0.0.1:8080"),
            count: 1,
        },
        AuditEvent::GrantRefused {
            provider,
            link,
            want: text("connect"),
            subject: text("db.example:5432"),
            reason: text("denied"),
            count: 9,
        },
        AuditEvent::OperatorCommand { uid: 0, pid: Some(99), command: text("stop"), subject: text(""), count: 1 },
        AuditEvent::OperatorRefused { uid: Some(1000), count: 2 },
    ]
}

fn notes() -> Vec<Note> {
    let tip = Tip { seq: 18, hash: RecordHash::parse(&[b'a'; 64]).expect("a hash") };
    let file = || "0000000000000001.jsonl".into();
    vec![
        Note::Head { head: SignedHead::sign(&key(), tip).expect("it can sign").to_string(), found: false },
        Note::TailRepaired { file: file(), bytes: 17 },
        Note::SegmentDamaged { file: file(), line: 4 },
        Note::SegmentRemoved { file: file(), first_seq: 1, last_seq: 4000 },
        Note::Lost { of: "link_set", count: 12 },
        Note::Delayed { for_ms: 1500, error: "No space left on device".into() },
    ]
}

#[test]
fn the_records_are_these() {
    let told = events().into_iter().map(Told::Event).chain(notes().into_iter().map(Told::Note));
    let (mut bytes, mut tip) = (Vec::new(), Tip::default());
    let mut kinds = Vec::new();
    for told in told {
        let at = time(tip.seq);
        append(&mut bytes, &mut tip, at, &told);
        kinds.push(told.kind());
    }
    let text = String::from_utf8(bytes).expect("JSON is text");
    for (line, kind) in text.lines().zip(&kinds) {
        let record = Record::parse(line.as_bytes()).expect("it is whole");
        assert_eq!(record.kind(), *kind);
    }
    insta::assert_snapshot!("records", text);
    let docs = std::fs::read_to_string("../docs/audit.md").expect("the page is there");
    let mut missing = String::new();
    for line in text.lines() {
        let record = Record::parse(line.as_bytes()).expect("it is whole");
        let fields: Vec<String> =
            record.event.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let row = docs.lines().find(|row| row.starts_with(&format!("| `{}` |", record.kind())));
        let has_all = row.is_some_and(|row| {
            fields.iter().filter(|name| *name != "kind").all(|name| row.contains(&format!("`{name}`")))
        });
        if !has_all {
            let _ = writeln!(missing, "{}: {fields:?}", record.kind());
        }
    }
    assert_eq!(missing, "", "docs/audit.md has no row of them with all fields");
}

#[test]
fn the_longest_record_can_be_read() {
    // What takes most room in JSON.
    let long = || Brief::from("\"".repeat(400));
    let values = vec![long(); crate::words::BRIEFS_MAX];
    let event = AuditEvent::LinkSet { actor: long(), contract: long(), link: long(), provider: long(), values };
    let (mut bytes, mut tip) = (Vec::new(), Tip::default());
    append(&mut bytes, &mut tip, time(0), &Told::Event(event));
    assert!(bytes.len() < LINE_BYTES_MAX, "{}", bytes.len());
    assert!(Record::parse(&bytes[..bytes.len() - 1]).is_ok());
}
