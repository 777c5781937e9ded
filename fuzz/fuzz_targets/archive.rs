//! Provider archives: the strict reader, the checks on what it read, and the way back through the writer.
//!
//! Bytes that begin with `{` are claims, which the target signs and puts beside two libraries. Anything else is an archive:
//! as it stands, and with the checksums of its headers mended, which a fuzzer does not guess, plain and in gzip.
#![no_main]

use std::io::{BufReader, Write};

use cofferdam_claims::{ArchiveLimits, ClaimsError, Packing, ProviderArchive, Trust, Validity, WriteOptions};
use cofferdam_fuzz::{errors, signing};
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;

const BLOCK_BYTES: usize = 512;
/// Small, so that each of them is met.
const LIMITS: ArchiveLimits =
    ArchiveLimits { claims_bytes_max: 4096, library_bytes_max: 8192, total_bytes_max: 1 << 16, entries_max: 8 };
const LIBRARIES: [(&str, &[u8]); 2] = [("x86_64-linux", b"\x7fELF of a library"), ("aarch64-linux", b"another")];
const CLAIMS_FILE: &str = "claims.jwt";

fuzz_target!(|bytes: &[u8]| {
    if let (b"{", Ok(claims)) = (&bytes[..bytes.len().min(1)], str::from_utf8(bytes)) {
        let mut tar = vec![];
        append(&mut tar, CLAIMS_FILE, signing::token(claims).as_bytes());
        for (target, library) in LIBRARIES {
            append(&mut tar, &format!("{target}.bin"), library);
        }
        tar.resize(tar.len() + 2 * BLOCK_BYTES, 0);
        return judge(&mended(&tar));
    }
    judge(bytes);
    if !bytes.starts_with(b"\x1f\x8b") {
        let tar = mended(bytes);
        judge(&tar);
        judge(&gzip(&tar));
    }
});

/// Reading is bounded and says one thing, however the bytes arrive; what was read can be checked and written.
fn judge(bytes: &[u8]) {
    let read = ProviderArchive::read("fuzz.par", bytes, &LIMITS);
    // In pieces, of another size for each input. Of damage in gzip and damage in what it unpacks to, either may be met first.
    let piece_bytes = bytes.last().map_or(1, |&byte| 1 + usize::from(byte));
    let in_pieces = ProviderArchive::read("fuzz.par", BufReader::with_capacity(piece_bytes, bytes), &LIMITS);
    assert_eq!(read.as_ref().ok().map(content), in_pieces.as_ref().ok().map(content));
    let archive = match read {
        Err(error) => return refused(&error),
        Ok(archive) => archive,
    };
    let targets = archive.targets();
    assert!(targets.len() <= LIMITS.entries_max as usize);
    for target in &targets {
        let library = archive.target_bytes(target).expect("a library for each target");
        assert!(library.len() as u64 <= LIMITS.library_bytes_max);
    }
    checks(&archive);
    if archive.claims().is_none_or(|claims| !claims.issuer.is_empty()) {
        write(archive);
    }
}

fn content(archive: &ProviderArchive) -> Vec<(String, Option<Vec<u8>>)> {
    archive.targets().into_iter().map(|target| (target.clone(), archive.target_bytes(&target))).collect()
}

/// Verifying and inspecting say the same, and only what is verified can be opened.
fn checks(archive: &ProviderArchive) {
    let verified = archive.verify("fuzz.par", &Trust::Any, signing::now());
    match (archive.inspect("fuzz.par", &Trust::Any, signing::now()), &verified) {
        (Err(unsigned), verified) => {
            refused(&unsigned);
            assert!(verified.is_err() && archive.claims().is_none());
        }
        (Ok(inspection), verified) => {
            let failed = inspection.checks.iter().find_map(|(_, check)| check.as_ref().err());
            assert_eq!(verified.as_ref().err().map(shown), failed.map(shown), "the first failed check decides");
            inspection.checks.iter().filter_map(|(_, check)| check.as_ref().err()).for_each(refused);
        }
    }
    match verified {
        Err(error) => refused(&error),
        Ok(proof) => {
            for target in archive.targets() {
                let library = archive.library(&proof, &target).expect("verified with this library");
                assert_eq!(archive.target_bytes(&target).as_deref(), Some(library));
            }
            refused(&archive.library(&proof, "none-such").expect_err("there is no such library"));
        }
    }
}

/// Signed again it verifies, if it names a contract, and holds the same libraries.
fn write(mut archive: ProviderArchive) {
    let options = WriteOptions {
        validity: Validity { issued_at: Some(signing::now()), ..Validity::default() },
        packing: Packing::Plain,
    };
    let before = archive.clone();
    match archive.to_bytes("fuzz.par", &signing::account(), &signing::provider(), &options) {
        Err(error) => refused(&error),
        Ok(bytes) => {
            let again = ProviderArchive::try_load(&bytes).expect("what was written can be read");
            assert_eq!(again.targets(), before.targets());
            again.verify("fuzz.par", &Trust::Any, signing::now()).expect("signed a moment ago");
        }
    }
}

/// The bytes as a tar file whose headers have the right checksums, as far as its entries can be followed.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut tar = bytes.to_vec();
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + BLOCK_BYTES) {
        if header.iter().all(|&byte| byte == 0) {
            break;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = str::from_utf8(&header[124..135]).ok().and_then(|text| usize::from_str_radix(text.trim(), 8).ok());
        at += BLOCK_BYTES + size.unwrap_or(0).next_multiple_of(BLOCK_BYTES);
    }
    tar
}

/// One entry, of which the checksum is still to be mended.
fn append(tar: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; BLOCK_BYTES];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[156] = b'0';
    tar.extend_from_slice(&header);
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(BLOCK_BYTES), 0);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).expect("memory takes all of it");
    encoder.finish().expect("memory takes all of it")
}

fn shown(error: &ClaimsError) -> String {
    format!("{}: {error}", error.check())
}

fn refused(error: &ClaimsError) {
    errors::check(&error.to_string(), &error.next_step());
}
