//! Every bad archive and its error, made block by block; the limits, each from both sides; writing.

use std::io::{BufReader, Write};

use cofferdam_claims::{
    ArchiveLimits, Check, ClaimsError, Packing, ProviderArchive, Trust, Validity, WriteOptions, native_target,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tar::{EntryType, Header};

use crate::build::*;

/// The error of loading and then verifying.
fn error_of(bytes: &[u8]) -> ClaimsError {
    let trust = Trust::only([account().public_key()]).unwrap();
    let archive = match ProviderArchive::read("bad.par", bytes, &ArchiveLimits::default()) {
        Ok(archive) => archive,
        Err(error) => return error,
    };
    archive.verify("bad.par", &trust, now()).unwrap_err()
}

fn entry(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    // Not `set_path`, which refuses the names that are wanted here.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let padding = vec![0; (512 - content.len() % 512) % 512];
    [header.as_bytes(), content, &padding].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(name, EntryType::Regular, content)
}

fn tar_of(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Claims that fit one library, with some fields of theirs replaced.
fn par_claims(changes: serde_json::Value) -> Vec<u8> {
    let mut claims = claims_with(json!({
        "sub": provider().public_key(),
        "wascap": {"name": "Store", "capid": "wasmcloud:keyvalue", "vendor": "cofferdam",
                   "target_hashes": {"x86_64-linux": hash(LIBRARY)}},
    }));
    for (field, value) in changes.as_object().unwrap() {
        let place = if claims.get(field).is_some() || field == "exp" { &mut claims } else { &mut claims["wascap"] };
        place[field] = value.clone();
    }
    token(&header(), &claims, &account()).into_bytes()
}

/// An archive with these claims and the one library.
fn with_claims(changes: serde_json::Value) -> Vec<u8> {
    tar_of(&[file("claims.jwt", &par_claims(changes)), library()])
}

fn library() -> Vec<u8> {
    file("x86_64-linux.bin", LIBRARY)
}

fn good_claims() -> Vec<u8> {
    file("claims.jwt", &par_claims(json!({})))
}

fn changed(bytes: &[u8], position: usize, to: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[position] = to;
    bytes
}

/// Archives that cannot be read.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let good = tar_of(&[good_claims(), library()]);
    let packed = gzip(&good);
    let with = |more: Vec<u8>| tar_of(&[good_claims(), library(), more]);
    vec![
        ("empty file", vec![]),
        ("one byte", vec![0x1f]),
        ("a wasm module", [module(), vec![0; 1024]].concat()),
        ("no end mark", good[..good.len() - 1024].to_vec()),
        ("half an end mark", good[..good.len() - 512].to_vec()),
        ("truncated header", good[..100].to_vec()),
        ("truncated file", good[..600].to_vec()),
        ("truncated padding", good[..good.len() - 1024 - 100].to_vec()),
        ("odd end", [good.clone(), vec![0; 7]].concat()),
        ("data after the end", [good.clone(), vec![1; 512]].concat()),
        ("gzip magic only", vec![0x1f, 0x8b]),
        ("truncated gzip", packed[..packed.len() / 2].to_vec()),
        ("truncated gzip trailer", packed[..packed.len() - 1].to_vec()),
        ("wrong gzip checksum", changed(&packed, packed.len() - 6, packed[packed.len() - 6] ^ 1)),
        ("data after gzip", [packed.clone(), b"more".to_vec()].concat()),
        ("wrong tar checksum", changed(&good, 0, b'C')),
        ("no number as size", {
            let mut entry = library();
            entry[124..136].copy_from_slice(b"zzzzzzzzzzzz");
            let sum: u32 = entry[..148].iter().chain(&entry[156..512]).map(|b| u32::from(*b)).sum::<u32>() + 256;
            entry[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            tar_of(&[good_claims(), entry])
        }),
        ("absolute name", with(file("/etc/passwd", b"x"))),
        ("name that climbs", with(file("../x86_64-linux.bin", b"x"))),
        ("name with a folder", with(file("lib/x86_64-linux.bin", b"x"))),
        ("dotted name", with(file("./claims.jwt", b"x"))),
        ("name with an escape", with(file("\u{1b}[2J.bin", b"x"))),
        ("no name", with(file("", b"x"))),
        ("symbolic link", with(entry("aarch64-linux.bin", EntryType::Symlink, b""))),
        ("hard link", with(entry("aarch64-linux.bin", EntryType::Link, b""))),
        ("directory", with(entry("lib", EntryType::Directory, b""))),
        ("long name", with(entry("name", EntryType::GNULongName, b"x"))),
        ("extended header", with(entry("name", EntryType::XHeader, b"x"))),
        ("sparse file", with(entry("aarch64-linux.bin", EntryType::GNUSparse, b""))),
        ("library twice", with(library())),
        ("claims twice", with(good_claims())),
        ("readme", with(file("README.md", b"x"))),
        ("WIT world", with(file("world.wasm", b"x"))),
        ("odd target", with(file("linux.bin", b"x"))),
        ("no library", tar_of(&[good_claims()])),
        ("nothing", tar_of(&[])),
        ("claims too large", tar_of(&[file("claims.jwt", &vec![b'a'; 64 * 1024 + 1]), library()])),
        ("too many entries", {
            let many = (0..65).map(|n| file(&format!("cpu{n}-linux.bin"), b"")).collect::<Vec<_>>();
            tar_of(&many)
        }),
        ("claims malformed", tar_of(&[file("claims.jwt", b"x"), library()])),
    ]
}

/// Archives that can be read and are turned down.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let two = json!({"x86_64-linux": hash(LIBRARY), "aarch64-linux": hash(b"x")});
    let world = json!({"x86_64-linux": hash(LIBRARY), "world.wasm\u{1b}": hash(b"x")});
    let foreign = token(
        &header(),
        &claims_with(json!({"sub": provider().public_key(), "wascap": {
        "capid": "c", "target_hashes": {"x86_64-linux": hash(LIBRARY)}}})),
        &other_account(),
    );
    let untrusted = archive().to_bytes("x", &other_account(), &provider(), &WriteOptions::default()).unwrap();
    vec![
        ("no claims", tar_of(&[library()])),
        ("actor's claims", with_claims(json!({"sub": actor().public_key()}))),
        ("wrong signature", tar_of(&[file("claims.jwt", foreign.as_bytes()), library()])),
        ("expired", with_claims(json!({"exp": NOW_S}))),
        ("untrusted", untrusted),
        ("library not in claims", tar_of(&[good_claims(), library(), file("aarch64-linux.bin", b"x")])),
        ("library missing", with_claims(json!({"target_hashes": two}))),
        ("library with an odd name missing", with_claims(json!({"target_hashes": world}))),
        ("library changed", tar_of(&[good_claims(), file("x86_64-linux.bin", b"evil")])),
        ("no contract", with_claims(json!({"capid": ""}))),
        ("expired and changed", {
            let claims = par_claims(json!({"exp": 5, "capid": ""}));
            tar_of(&[file("claims.jwt", &claims), file("x86_64-linux.bin", b"evil")])
        }),
    ]
}

#[test]
fn every_bad_archive_has_its_error() {
    for (golden, cases) in [("malformed_archives", malformed()), ("refused_archives", refused())] {
        let mut table = String::new();
        for (case, bytes) in &cases {
            render(&mut table, case, &error_of(bytes));
        }
        insta::assert_snapshot!(golden, table);
    }
}

#[test]
fn an_archive_may_come_byte_by_byte() {
    for packing in [Packing::Plain, Packing::Gzip] {
        let bytes = archive_bytes(packing);
        let byte_by_byte = BufReader::with_capacity(1, &*bytes);
        let read = ProviderArchive::read("slow.par", byte_by_byte, &ArchiveLimits::default()).unwrap();
        assert_eq!(read.targets(), archive().targets(), "{packing:?}");
    }
}

#[test]
fn what_was_written_verifies() {
    let trust = Trust::only([account().public_key()]).unwrap();
    for packing in [Packing::Plain, Packing::Gzip] {
        let bytes = archive_bytes(packing);
        assert_eq!(bytes, archive_bytes(packing), "writing is deterministic");
        let loaded = ProviderArchive::try_load(&bytes).unwrap();
        assert_eq!(loaded.targets(), ["aarch64-linux", "x86_64-linux"]);
        let verified = loaded.verify("good.par", &trust, now()).unwrap();
        assert_eq!(
            (verified.subject(), verified.metadata().capid.as_str()),
            (&*provider().public_key(), "wasmcloud:keyvalue")
        );
        assert_eq!(loaded.library(&verified, "x86_64-linux").unwrap(), LIBRARY);
        assert_eq!(loaded.target_bytes("x86_64-linux").unwrap(), LIBRARY);
        assert_eq!(loaded.claims_token().unwrap(), verified.token());
        assert_eq!(loaded.claims().unwrap().subject, verified.subject());
    }
}

#[test]
fn a_library_needs_a_proof_of_its_own_archive() {
    let loaded = ProviderArchive::try_load(&archive_bytes(Packing::Plain)).unwrap();
    let verified = loaded.verify("good.par", &Trust::Any, now()).unwrap();
    let mut table = String::new();
    render(&mut table, "another target", &loaded.library(&verified, "riscv64-linux").unwrap_err());
    let mut swapped = loaded.clone();
    swapped.add_library("x86_64-linux", b"evil").unwrap();
    render(&mut table, "swapped after the proof", &swapped.library(&verified, "x86_64-linux").unwrap_err());
    render(&mut table, "swapped and verified", &swapped.verify("good.par", &Trust::Any, now()).unwrap_err());
    render(&mut table, "odd target", &swapped.add_library("../x-y", b"").unwrap_err());
    let mut empty = ProviderArchive::new("c", "n", "v", None, None);
    let plain = WriteOptions::default();
    render(&mut table, "empty", &empty.to_bytes("new.par", &account(), &provider(), &plain).unwrap_err());
    render(&mut table, "wrong subject", &archive().to_bytes("new.par", &account(), &actor(), &plain).unwrap_err());
    render(&mut table, "wrong issuer", &archive().to_bytes("new.par", &provider(), &provider(), &plain).unwrap_err());
    let mut anonymous = ProviderArchive::new(" ", "n", "v", None, None);
    anonymous.add_library("x86_64-linux", b"").unwrap();
    render(&mut table, "no contract", &anonymous.to_bytes("new.par", &account(), &provider(), &plain).unwrap_err());
    render(&mut table, "no file", &ProviderArchive::try_load_file("no/such.par").unwrap_err());
    render(&mut table, "no folder", &archive().write("no/such.par", &account(), &provider(), false).unwrap_err());
    insta::assert_snapshot!("archive_use", table);
}

#[test]
fn limits_are_exact() {
    let bytes = tar_of(&[good_claims(), library()]);
    let claims_bytes = par_claims(json!({})).len() as u64;
    let exact = ArchiveLimits {
        claims_bytes_max: claims_bytes,
        library_bytes_max: LIBRARY.len() as u64,
        total_bytes_max: bytes.len() as u64,
        entries_max: 2,
    };
    ProviderArchive::read("exact.par", &bytes[..], &exact).unwrap();
    ProviderArchive::read("exact.par", &gzip(&bytes)[..], &exact).unwrap();
    let tighter = [
        (ArchiveLimits { claims_bytes_max: exact.claims_bytes_max - 1, ..exact }, Check::File),
        (ArchiveLimits { library_bytes_max: exact.library_bytes_max - 1, ..exact }, Check::File),
        (ArchiveLimits { total_bytes_max: exact.total_bytes_max - 1, ..exact }, Check::File),
        (ArchiveLimits { entries_max: 1, ..exact }, Check::Format),
    ];
    for (limits, check) in tighter {
        for bytes in [bytes.clone(), gzip(&bytes)] {
            assert_eq!(ProviderArchive::read("tight.par", &bytes[..], &limits).unwrap_err().check(), check);
        }
    }
}

/// 64 MiB of zeros in 64 KiB: refused at the limit, whether they stand in a file or after the end mark.
#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let zeros = vec![0; 64 * 1024 * 1024];
    let limits = ArchiveLimits { total_bytes_max: 1024 * 1024, ..ArchiveLimits::default() };
    let bombs = [
        gzip(&tar_of(&[good_claims(), file("x86_64-linux.bin", &zeros)])),
        gzip(&[tar_of(&[good_claims(), library()]), zeros].concat()),
    ];
    for bomb in bombs {
        assert!(bomb.len() < 128 * 1024);
        let error = ProviderArchive::read("bomb.par.gz", &bomb[..], &limits).unwrap_err();
        assert!(error.to_string().contains("the archive is larger than the limit of 1048576 bytes"), "{error}");
    }
}

#[test]
fn writing_replaces_the_file_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.par");
    std::fs::write(&path, "old").unwrap();
    assert_eq!(archive().write(&path, &account(), &provider(), false).unwrap(), path);
    let packed = archive().write(&path, &account(), &provider(), true).unwrap();
    assert_eq!(packed, folder.path().join("store.par.gz"));
    assert_eq!(archive().write(&packed, &account(), &provider(), true).unwrap(), packed);
    for path in [&path, &packed] {
        let loaded = ProviderArchive::try_load_file(path).unwrap();
        loaded.verify("store", &Trust::Any, std::time::SystemTime::now()).unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");

    let validity = Validity { expires: Some(now()), ..Validity::default() };
    let options = WriteOptions { validity, packing: Packing::Plain };
    archive().write_with(&path, &account(), &provider(), &options).unwrap();
    let expired = ProviderArchive::try_load_file(&path).unwrap().verify("store", &Trust::Any, now()).unwrap_err();
    assert_eq!(expired.check(), Check::Expiry);
}

#[test]
fn inspecting_lists_every_check() {
    let bytes = tar_of(&[good_claims(), file("x86_64-linux.bin", b"evil")]);
    let loaded = ProviderArchive::try_load(&bytes).unwrap();
    let inspection = loaded.inspect("bad.par", &Trust::Any, now()).unwrap();
    let failed: Vec<_> = inspection.checks.iter().filter(|(_, outcome)| outcome.is_err()).map(|(c, _)| *c).collect();
    assert_eq!((failed, inspection.checks.len()), (vec![Check::Hash], 8));
    assert!(archive().inspect("new.par", &Trust::Any, now()).is_err());
}

#[test]
fn the_native_target_is_a_target() {
    let mut archive = ProviderArchive::new("c", "n", "v", None, None);
    archive.add_library(native_target(), b"x").unwrap();
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        assert_eq!(native_target(), "x86_64-linux");
    }
}
