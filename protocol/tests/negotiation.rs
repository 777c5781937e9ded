//! How two prefaces come to a version, or don't.

use cofferdam_protocol::{Agreed, DecodeError, Features, PREFACE_BYTES, Preface, Side};

fn preface(side: Side, (version_min, version_max): (u16, u16), features: u64) -> Preface {
    Preface { side, version_min, version_max, features: Features(features), generation: 42 }
}

/// What becomes of two ranges of versions. Both sides come to the same.
fn check(host: (u16, u16), shim: (u16, u16), expected: Option<u16>) {
    let (at_host, at_shim) = (preface(Side::Host, host, 0b0110), preface(Side::Shim, shim, 0b0011));
    for (ours, theirs, range) in [(at_host, at_shim, shim), (at_shim, at_host, host)] {
        let expected =
            expected.map(|version| Agreed { version, features: Features(0b0010) }).ok_or(DecodeError::Version {
                min: range.0,
                max: range.1,
                ours_min: ours.version_min,
                ours_max: ours.version_max,
            });
        assert_eq!(ours.agree(&theirs.to_bytes()), expected, "host {host:?}, shim {shim:?}");
    }
}

#[test]
fn the_highest_common_version_is_in_force() {
    check((1, 1), (1, 1), Some(1));
    check((1, 3), (1, 1), Some(1));
    check((1, 3), (2, 5), Some(3));
    check((2, 5), (1, 3), Some(3));
    check((1, 9), (4, 6), Some(6));
    check((0, u16::MAX), (0, 0), Some(0));
    check((0, u16::MAX), (0, u16::MAX), Some(u16::MAX));
    check((1, 1), (2, 2), None);
    check((2, 2), (1, 1), None);
    check((1, 2), (3, u16::MAX), None);
    check((1, 1), (0, 0), None);
}

#[test]
fn a_range_that_is_upside_down_has_no_version() {
    let ours = preface(Side::Host, (1, 9), 0);
    let theirs = preface(Side::Shim, (5, 3), 0);
    let expected = Err(DecodeError::Version { min: 5, max: 3, ours_min: 1, ours_max: 9 });
    assert_eq!(ours.agree(&theirs.to_bytes()), expected);
}

/// The preface of a shim that the host agrees with, one byte of it changed.
fn changed(at: usize, byte: u8) -> [u8; PREFACE_BYTES] {
    let mut bytes = preface(Side::Shim, (1, 1), 0).to_bytes();
    bytes[at] = byte;
    bytes
}

#[test]
fn only_reserved_bytes_and_unknown_features_may_be_anything() {
    let ours = preface(Side::Host, (1, 1), 0);
    for at in 0..8 {
        let found: [u8; 8] = std::array::from_fn(|i| changed(at, 0)[i]);
        assert_eq!(ours.agree(&changed(at, 0)), Err(DecodeError::Magic { found }), "magic byte {at}");
    }
    for side in [0, 2, 255] {
        assert_eq!(ours.agree(&changed(12, side)), Err(DecodeError::Side { found: side, expected: 1 }));
    }
    for at in 13..24 {
        let agreed = Agreed { version: 1, features: Features::NONE };
        assert_eq!(ours.agree(&changed(at, 0xff)), Ok(agreed), "byte {at}");
    }
    for at in 24..32 {
        let found = Preface::generation_of(&changed(at, 0xff));
        assert_eq!(ours.agree(&changed(at, 0xff)), Err(DecodeError::Generation { found, expected: 42 }), "byte {at}");
    }
}

#[test]
fn a_preface_is_not_agreed_with_its_own_side() {
    for (side, number) in [(Side::Host, 0), (Side::Shim, 1)] {
        let ours = preface(side, (1, 1), 0);
        let expected = Err(DecodeError::Side { found: number, expected: 1 - number });
        assert_eq!(ours.agree(&ours.to_bytes()), expected);
    }
}

#[test]
fn a_shim_takes_the_generation_of_its_host() {
    let host = Preface { generation: u64::MAX, ..preface(Side::Host, (1, 1), 0) };
    let shim = Preface::ours(Side::Shim, Features::NONE, Preface::generation_of(&host.to_bytes()));
    assert_eq!(host.agree(&shim.to_bytes()), shim.agree(&host.to_bytes()));
    assert!(host.agree(&shim.to_bytes()).is_ok());
}
