//! A provider's library as a file: what `par create` and the shim ask of it before anything opens it.
#![no_main]

use cofferdam_fuzz::errors;
use cofferdam_library::{Target, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let outcomes = Target::ALL.map(|target| check(bytes, target));
    assert!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() <= 1, "a library of two machines");
    for error in outcomes.into_iter().filter_map(Result::err) {
        errors::check(&error.to_string(), "build it again");
    }
});
