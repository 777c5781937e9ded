//! Does wrong what it is told to: [`cofferdam_faults`], at the stage that the test wants.
//!
//! | stage | how it is told |
//! |---|---|
//! | `loading` | the variable [`VARIABLE`], before it is opened |
//! | `binding` | the link value `FAULT` |
//! | `calling` | the operation `Act`, whose payload is the name of the fault |
//! | `ready`, `draining` | the operation `Arm`, whose payload is `{fault, stage}`: when it is next asked how it is, or to end |
//!
//! `Acted` answers whether what it was armed with was done and outlived; `Echo` answers its payload; `Linger` is answered
//! when the provider was told to end, and has done then what it was armed with.
#![allow(unsafe_code, reason = "a constructor is a function in a section of the library")]

use std::sync::{Condvar, Mutex, PoisonError};

use cofferdam_faults::{LibraryFault, Stage, act};
use cofferdam_provider::{Call, Failure, Link};
use serde::Deserialize;

/// The variable that says what to do wrong while it is loaded.
pub const VARIABLE: &str = "COFFERDAM_FAULT";

/// What it was armed with.
#[derive(Default)]
pub(crate) struct Faulty {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    armed: Option<(LibraryFault, Stage)>,
    acted: bool,
    ending: bool,
}

#[derive(Deserialize)]
struct Arm<'a> {
    fault: &'a str,
    stage: &'a str,
}

fn named(fault: &str) -> Result<LibraryFault, Failure> {
    LibraryFault::named(fault).ok_or_else(|| Failure::new(format!("{fault} is no fault of a library")))
}

fn told_by_variable() -> Option<LibraryFault> {
    LibraryFault::named(&std::env::var(VARIABLE).ok()?)
}

/// The loader calls it before it returns to whoever opened the library.
extern "C" fn construct() {
    if told_by_variable() == Some(LibraryFault::CrashInConstructor) {
        let _ = act(LibraryFault::CrashInConstructor);
    }
}

#[used]
// SAFETY: the loader calls what the section holds as such functions.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

/// What it does wrong while it is made.
pub(crate) fn create() -> Result<(), Failure> {
    match told_by_variable() {
        Some(fault) => act(fault).map(drop).map_err(Failure::new),
        None => Ok(()),
    }
}

/// What it does wrong while it is linked.
pub(crate) fn bind(link: &Link<'_>) -> Result<(), Failure> {
    match link.get("FAULT") {
        Some(fault) => act(named(fault)?).map(drop).map_err(Failure::new),
        None => Ok(()),
    }
}

impl Faulty {
    /// What it was armed with for this stage, once.
    pub(crate) fn act_at(&self, stage: Stage) -> Result<(), Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((fault, _)) = state.armed.take_if(|(_, when)| *when == stage) else { return Ok(()) };
        // A panic in it is an act, too.
        let _acted = Acted(self);
        drop(state);
        act(fault).map(drop).map_err(Failure::new)
    }

    /// What answers a call. None for what is not of this module.
    pub(crate) fn handle(&self, call: &Call<'_>) -> Option<Result<Vec<u8>, Failure>> {
        Some(match call.operation() {
            "Act" => rmp_serde::from_slice(call.payload())
                .map_err(Failure::from)
                .and_then(named)
                .and_then(|fault| act(fault).map(String::into_bytes).map_err(Failure::new)),
            "Arm" => self.arm(call.payload()),
            "Acted" => {
                let acted = self.state.lock().unwrap_or_else(PoisonError::into_inner).acted;
                Ok(if acted { b"yes".to_vec() } else { b"no".to_vec() })
            }
            "Echo" => Ok(call.payload().to_vec()),
            "Linger" => self.linger(),
            _ => return None,
        })
    }

    fn arm(&self, payload: &[u8]) -> Result<Vec<u8>, Failure> {
        let Arm { fault, stage } = rmp_serde::from_slice(payload)?;
        let stage = Stage::named(stage).ok_or_else(|| Failure::new(format!("{stage} is no stage")))?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).armed = Some((named(fault)?, stage));
        Ok(b"armed".to_vec())
    }

    fn linger(&self) -> Result<Vec<u8>, Failure> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_while(state, |state| !state.ending).unwrap_or_else(PoisonError::into_inner));
        Ok(b"lingered".to_vec())
    }

    /// Does what it was armed with, and lets those end that linger.
    pub(crate) fn drain(&self) {
        let _ending = Ending(self);
        // Whatever it says of it, the process is to end.
        let _ = self.act_at(Stage::Draining);
    }
}

/// Lets those end that linger.
struct Ending<'a>(&'a Faulty);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).ending = true;
        self.0.ended.notify_all();
    }
}

/// Notes that the process has outlived the act.
struct Acted<'a>(&'a Faulty);

impl Drop for Acted<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).acted = true;
    }
}
