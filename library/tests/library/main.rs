//! What is refused as a provider's library, and in which words.

mod sample;

use std::time::{Duration, Instant};

use cofferdam_library::{Target, check};
use sample::{AARCH64, Sample, X86_64};

fn said(bytes: &[u8], target: Target) -> String {
    check(bytes, target).map_or_else(|fault| fault.to_string(), |()| "good".to_owned())
}

#[test]
fn each_wrong_library_is_told_why() {
    let good = Sample::of(X86_64);
    let size_bytes = good.size_bytes;
    let abi = |version: u32, size: u32| {
        format!(
            "it was built for ABI version {version} with a descriptor of {size} bytes; spoken here is version 1 with \
             {size_bytes} bytes"
        )
    };
    let no_entry = "it exports no `cofferdam_provider_v1`: it is no provider, or one for another ABI version";
    let outside = "`cofferdam_provider_v1` lies outside of its data";
    let cases = [
        (good, "good".to_owned()),
        (Sample { class: 1, ..good }, "it is not a 64-bit ELF file".to_owned()),
        (Sample { order: 2, ..good }, "it is big-endian".to_owned()),
        (Sample { order: 3, ..good }, "it is not a 64-bit ELF file".to_owned()),
        (Sample { kind: 2, ..good }, "it is not a shared library".to_owned()),
        (Sample { machine: AARCH64, ..good }, "it is for aarch64, not for x86_64".to_owned()),
        (Sample { machine: 243, ..good }, "it is for ELF machine 243, not for x86_64 (62)".to_owned()),
        (Sample { symbol: "cofferdam_provider_v2", ..good }, no_entry.to_owned()),
        (Sample { symbol: "__capability_provider_create", ..good }, no_entry.to_owned()),
        (Sample { address: 0x0fff, ..good }, outside.to_owned()),
        (Sample { address: 0x1001, ..good }, outside.to_owned()),
        (Sample { version: 2, ..good }, abi(2, size_bytes)),
        (Sample { size_bytes: size_bytes + 8, ..good }, abi(1, size_bytes + 8)),
    ];
    for (sample, expected) in cases {
        assert_eq!(said(&sample.bytes(), Target::X86_64), expected);
    }
    assert_eq!(said(&Sample::of(AARCH64).bytes(), Target::Aarch64), "good");
    assert_eq!(said(b"", Target::X86_64), "it is not a 64-bit ELF file");
    assert_eq!(said(b"#!/bin/sh\n", Target::X86_64), "it is not a 64-bit ELF file");
}

#[test]
fn no_cut_library_breaks_the_reader() {
    let good = Sample::of(X86_64).bytes();
    for length in 0..good.len() {
        let cut = said(&good[..length], Target::X86_64);
        assert_ne!(cut, "good", "{length} bytes");
    }
}

/// A library that is good but for its symbols, whose names all are the same megabytes.
fn with_long_names(symbols: usize, name_bytes: usize) -> Vec<u8> {
    const SECTION_BYTES: usize = 64;
    let mut elf = Sample::of(X86_64).bytes();
    let symbol = elf[120 + 24..120 + 48].to_vec();
    let sections_at = u64::from_le_bytes(elf[40..48].try_into().expect("eight bytes")) as usize;
    for (section, content) in [(1, symbol.repeat(symbols)), (2, vec![b'a'; name_bytes])] {
        let place = [elf.len(), content.len()].map(|number| (number as u64).to_le_bytes()).concat();
        let field = sections_at + section * SECTION_BYTES + 24;
        elf[field..field + 16].copy_from_slice(&place);
        elf.extend(content);
    }
    elf
}

#[test]
fn long_names_take_no_time() {
    let began = Instant::now();
    let told = said(&with_long_names(100_000, 8 << 20), Target::X86_64);
    assert!(told.starts_with("it exports no `cofferdam_provider_v1`"), "{told}");
    // Minutes, when each name was read to its end.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn targets_are_known_by_name() {
    for target in Target::ALL {
        assert_eq!(Target::named(target.name()), Some(target));
    }
    for unknown in ["", "x86_64", "riscv64-linux", "x86_64-macos"] {
        assert_eq!(Target::named(unknown), None, "{unknown}");
    }
    assert_eq!(Target::NATIVE.processor(), std::env::consts::ARCH);
}
