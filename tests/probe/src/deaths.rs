//! Ways to die, for the tests of crash reports: those of [`cofferdam_faults`], by name.
//!
//! | operation | outcome |
//! |---|---|
//! | `Die` | the payload says which: `segfault`, `stack_overflow`, `double_free`, `forbidden_call`, `fault_in_thread`, `overflow_in_thread` |
//! | `Say` | writes the payload, a text, to stdout, to stderr and to the log |
//! | `PanicInThread` | a thread panics; the provider goes on |

use std::thread;

use cofferdam_faults::deaths;
use cofferdam_provider::{Failure, Host, Level};

/// Dies as `way` says.
pub(crate) fn die(way: &str) -> Result<(), Failure> {
    match way {
        "segfault" => outer_of_a_fault(),
        "stack_overflow" => {
            deaths::overflow_the_stack(0);
        }
        "double_free" => drop(deaths::free_twice()),
        "forbidden_call" => drop(deaths::call_what_is_forbidden()),
        "fault_in_thread" => in_thread(outer_of_a_fault),
        "overflow_in_thread" => in_thread(|| {
            deaths::overflow_the_stack(0);
        }),
        other => return Err(Failure::new(format!("no way to die: {other}"))),
    }
    Err(Failure::new(format!("{way} did not end the process")))
}

/// Writes the words wherever a provider can.
pub(crate) fn say(host: &Host, words: &str) {
    println!("{words}");
    eprintln!("{words}");
    host.log(Level::INFO, words);
}

/// The provider outlives this.
pub(crate) fn panic_in_thread() {
    let worker = thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("asked to panic in a thread"));
    assert!(worker.expect("a thread can be started").join().is_err(), "it panicked");
}

fn in_thread(dying: impl FnOnce() + Send + 'static) {
    let worker = thread::Builder::new().name("worker".to_owned()).spawn(dying).expect("a thread can be started");
    // It does not come back.
    let _ = worker.join();
}

#[inline(never)]
fn outer_of_a_fault() {
    deaths::segfault()
}
