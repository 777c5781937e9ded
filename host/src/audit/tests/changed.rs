//! Any change of a written log is found, at its place.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{AuditSizes, SignedHead, checked, folder, lines, segments, set_lines, write};

/// One segment: a start, its head, and twelve more, signed at the end.
fn sample() -> (TempDir, SignedHead) {
    let dir = folder();
    let head = write(dir.path(), AuditSizes::default(), 12, 5);
    assert_eq!(lines(dir.path()).len(), 15);
    (dir, head)
}

/// The line and the word of the first finding.
fn found(dir: &TempDir, head: Option<&SignedHead>) -> Option<(u64, &'static str)> {
    checked(dir.path(), head).err().map(|finding| (finding.place.line, finding.kind()))
}

#[test]
fn every_bit_counts() {
    let (dir, _) = sample();
    let (path, whole) = (segments(dir.path())[0].clone(), lines(dir.path()).concat());
    let mut line = 1;
    for at in 0..whole.len() {
        // All bits of some bytes, one of most others: each takes a whole verification.
        let bits = if at % 61 == 0 || whole[at] == b'\n' { 0..8 } else { at % 8..at % 8 + at % 3 / 2 };
        for bit in bits {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(&path, &changed).expect("it can be written");
            assert_eq!(found(&dir, None), Some((line, "audit_altered")), "byte {at}, bit {bit}");
        }
        line += u64::from(whole[at] == b'\n');
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_line_goes_comes_or_moves(from in 0_usize..15, to in 0_usize..15, bytes in "[ -~]{0,200}") {
        let (dir, head) = sample();
        let (whole, line) = (lines(dir.path()), |at: usize| at as u64 + 1);
        let check = |what: &str, changed: &[Vec<u8>], at: usize, words: &[&str]| {
            set_lines(dir.path(), changed);
            let found = found(&dir, Some(&head));
            let is_right = found.is_some_and(|(line_found, word)| line_found == line(at) && words.contains(&word));
            prop_assert!(is_right, "{what} {from} {to}: {found:?}");
            Ok(())
        };
        let mut removed = whole.clone();
        removed.remove(from);
        // The last record is the head itself; whoever takes only that takes nothing that it signs.
        if from < 13 {
            check("removed", &removed, from, &["audit_removed"])?;
        }
        let mut repeated = whole.clone();
        repeated.insert(to, whole[from].clone());
        let first_wrong = if from == to { to + 1 } else { to };
        check("repeated", &repeated, first_wrong, &["audit_reordered"])?;
        let mut inserted = whole.clone();
        inserted.insert(to, [bytes.as_bytes(), b"\n"].concat());
        check("inserted", &inserted, to, &["audit_altered"])?;
        if from != to {
            let mut swapped = whole.clone();
            swapped.swap(from, to);
            check("swapped", &swapped, from.min(to), &["audit_reordered"])?;
        }
    }

    #[test]
    fn a_cut_tail_is_found_by_a_kept_head(kept in 1_usize..14, torn in 0_usize..60) {
        let (dir, head) = sample();
        let whole = lines(dir.path());
        let mut cut = whole[..kept].to_vec();
        cut.push(whole[kept][..torn].to_vec());
        set_lines(dir.path(), &cut);
        // Record 14 is the last that the head signs.
        let expected = (kept < 14).then_some((kept as u64, "audit_cut"));
        prop_assert_eq!(found(&dir, Some(&head)), expected);
        let without = if kept < 2 { Some((1, "audit_unsigned")) } else { None };
        prop_assert_eq!(found(&dir, None), without);
    }
}

#[test]
fn segments_stay_where_they_are() {
    let sizes = AuditSizes { segment_bytes: 2000, segments_max: 100 };
    let dir = folder();
    let head = write(dir.path(), sizes, 60, 3);
    let names = segments(dir.path());
    assert!(names.len() > 4, "{names:?}");
    let aside = dir.path().join("aside");
    let check = |what: &str, file: &std::path::Path, line: u64, word: &str| {
        let finding = checked(dir.path(), Some(&head)).expect_err(what);
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert_eq!(
            (finding.place.file.clone(), finding.place.line, finding.kind()),
            (name, line, word),
            "{what}: {finding}"
        );
    };
    for (gone, seen, word) in [(0, 1, "audit_removed"), (2, 3, "audit_removed")] {
        fs::rename(&names[gone], &aside).expect("it can be moved");
        check("gone", &names[seen], 1, word);
        fs::rename(&aside, &names[gone]).expect("it can be moved");
    }
    let [second, third] = [&names[1], &names[2]].map(|path| fs::read(path).expect("it is there"));
    fs::write(&names[1], &third).expect("it can be written");
    fs::write(&names[2], &second).expect("it can be written");
    check("swapped", &names[1], 1, "audit_reordered");
    fs::write(&names[1], &second).expect("it can be written");
    fs::write(&names[2], &third).expect("it can be written");
    assert_eq!(checked(dir.path(), Some(&head)).expect("whole again").first_seq, 1);
}
