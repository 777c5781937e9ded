//! Kinds of keys, seeds and their files.

use std::fmt::Write;

use cofferdam_claims::{KeyKind, KeyPair, from_seed, load_seed, save_seed};

use crate::build::*;

#[test]
fn every_kind_makes_keys_of_its_letter() {
    for kind in KeyKind::ALL {
        let pair = kind.generate();
        let key = pair.public_key();
        assert!(key.starts_with(kind.letter()), "{key}");
        assert_eq!(KeyKind::of(&key).unwrap(), Some(kind));
        assert_eq!(kind.to_string().parse::<KeyKind>().unwrap(), kind);
        assert_eq!(from_seed(kind, &pair.seed().unwrap()).unwrap().public_key(), key);
        for other in KeyKind::ALL {
            assert_eq!(other.check(&key).is_ok(), other == kind);
        }
    }
}

#[test]
fn seed_files_are_private_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.nk");
    let pair = KeyKind::Host.generate();
    save_seed(&pair, &path).unwrap();
    assert_eq!(load_seed(KeyKind::Host, &path).unwrap().public_key(), pair.public_key());
    assert!(load_seed(KeyKind::Account, &path).is_err());
    assert!(save_seed(&KeyKind::Host.generate(), &path).is_err());
    assert_eq!(load_seed(KeyKind::Host, &path).unwrap().public_key(), pair.public_key());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    let empty = folder.path().join("empty.nk");
    std::fs::write(&empty, "\n").unwrap();
    let error = load_seed(KeyKind::Host, &empty).unwrap_err().to_string();
    assert!(error.ends_with("empty.nk holds no seed: it is empty"), "{error}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn key_errors_never_show_a_seed() {
    let seed = account().seed().unwrap();
    let wrong_checksum = seed.replacen("AE", "AF", 1);
    let mut unknown_prefix = seed.clone();
    unknown_prefix.replace_range(1..2, "W");
    let mut table = String::new();
    let cases = [
        ("empty", String::new()),
        ("short", seed[..57].to_owned()),
        ("long", format!("{seed}A")),
        ("wrong checksum", wrong_checksum),
        ("unknown prefix", unknown_prefix),
        ("public key", account().public_key()),
        ("not ASCII", "é".repeat(29)),
        ("another kind", actor().seed().unwrap()),
    ];
    for (case, text) in &cases {
        let error = from_seed(KeyKind::Account, text).unwrap_err().to_string();
        assert!(!error.contains(&seed[2..40]), "{error}");
        writeln!(table, "{case}\n  {error}\n").unwrap();
    }
    for (case, text) in [("not a key", "x\u{1b}".to_owned()), ("not ASCII", "é".repeat(28)), ("a seed as key", seed)] {
        writeln!(table, "{case}\n  {}\n", KeyKind::Account.check(&text).unwrap_err()).unwrap();
    }
    let user = KeyPair::new_from_raw(nkeys::KeyPairType::User, [9; 32]).unwrap().public_key();
    writeln!(table, "user key\n  {}\n", KeyKind::Account.check(&user).unwrap_err()).unwrap();
    writeln!(table, "word\n  {}\n", "robot".parse::<KeyKind>().unwrap_err()).unwrap();
    insta::assert_snapshot!("keys", table);
}
