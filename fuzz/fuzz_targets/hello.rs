//! The first bytes on the control socket: preface, then hello, from either side.
#![no_main]

use cofferdam_fuzz::errors;
use cofferdam_protocol::{DecodeError, Features, HELLO_BYTES, HostHello, PREFACE_BYTES, Preface, ShimHello, Side};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(theirs) = bytes.first_chunk() {
        preface(theirs);
    }
    // A hello stands behind a preface; read alone, too, it must hold.
    let behind = bytes.get(PREFACE_BYTES..).unwrap_or_default();
    for hello in [bytes, behind].into_iter().filter_map(|bytes| bytes.first_chunk()) {
        host_hello(hello);
        shim_hello(hello);
    }
});

fn preface(theirs: &[u8; PREFACE_BYTES]) {
    let stated = Preface::generation_of(theirs);
    for (side, generation) in [(Side::Host, stated), (Side::Host, stated ^ 1), (Side::Shim, stated)] {
        let ours = Preface::ours(side, Features(0xff00_ff00_ff00_ff00), generation);
        match ours.agree(theirs) {
            Err(error) => refused(&error),
            Ok(agreed) => {
                assert_eq!(generation, stated, "agreed with a process of another generation");
                assert!((ours.version_min..=ours.version_max).contains(&agreed.version));
                assert_eq!(agreed.features.0 & !ours.features.0, 0, "agreed to a feature that we don't have");
                assert_ne!(theirs[12], side as u8, "agreed with a peer of our own side");
            }
        }
    }
}

fn host_hello(bytes: &[u8; HELLO_BYTES]) {
    match HostHello::from_bytes(bytes) {
        Err(error) => refused(&error),
        Ok(hello) => {
            let again = hello.to_bytes();
            assert_eq!(again[..12], bytes[..12]);
            assert_eq!(HostHello::from_bytes(&again), Ok(hello));
        }
    }
}

fn shim_hello(bytes: &[u8; HELLO_BYTES]) {
    let hello = ShimHello::from_bytes(bytes);
    assert_eq!(ShimHello::from_bytes(&hello.to_bytes()), hello);
}

fn refused(error: &DecodeError) {
    errors::check(&error.to_string(), "the connection ends");
}
