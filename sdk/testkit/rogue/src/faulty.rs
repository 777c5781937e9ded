//! Does wrong what it is told to: [`cofferdam_faults`], at the stage that the test wants.
//!
//! | stage | how it is told |
//! |---|---|
//! | `loading` | the variable [`VARIABLE`], before it is opened: the name of the fault, and the stage |
//! | `restarting` | the same, and a first start has left [`MARK`] |
//! | `binding` | the link value `FAULT` |
//! | `calling` | the operation `Act`, whose payload is the name of the fault |
//! | `ready`, `draining` | the operation `Arm`, whose payload is `{fault, stage}`: when it is next asked how it is, or to end |
//!
//! `Acted` answers what came of the last that it did and outlived; `Echo` answers its payload; `Linger` is answered when the
//! provider was told to end, and has done then what it was armed with; `Lingering` answers whether one does.
#![allow(unsafe_code, reason = "a constructor is a function in a section of the library")]

use std::fs::File;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use cofferdam_faults::{LibraryFault, Stage, act};
use cofferdam_provider::{Call, Failure, Link};
use serde::Deserialize;

/// The variable that says what to do wrong while it is loaded.
pub const VARIABLE: &str = "COFFERDAM_FAULT";

/// The file in its own directory by which a further start knows that it is one.
pub const MARK: &str = "started";

/// What it was armed with.
#[derive(Default)]
pub(crate) struct Faulty {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    armed: Option<(LibraryFault, Stage)>,
    /// What came of it.
    acted: Option<String>,
    lingering: bool,
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
    let told = std::env::var(VARIABLE).ok()?;
    let (fault, stage) = told.split_once(' ')?;
    let now = Stage::named(stage)? == Stage::Loading || Path::new("/dirs/state").join(MARK).exists();
    now.then(|| LibraryFault::named(fault)).flatten()
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

impl Faulty {
    /// Made, and what it does wrong while it is.
    pub(crate) fn create() -> Result<Self, Failure> {
        let faulty = Self::default();
        if let Some(fault) = told_by_variable() {
            faulty.act(fault)?;
        }
        if std::env::var(VARIABLE).is_ok_and(|told| told.ends_with(Stage::Restarting.name())) {
            File::create(Path::new("/dirs/state").join(MARK))?;
        }
        Ok(faulty)
    }

    /// What it does wrong while it is linked.
    pub(crate) fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        match link.get("FAULT") {
            Some(fault) => self.act(named(fault)?).map(drop),
            None => Ok(()),
        }
    }

    /// What it was armed with for this stage, once.
    pub(crate) fn act_at(&self, stage: Stage) -> Result<(), Failure> {
        let armed = self.state().armed.take_if(|(_, when)| *when == stage);
        armed.map_or(Ok(()), |(fault, _)| self.act(fault).map(drop))
    }

    /// Does it, and notes what came of it, if the process outlives it.
    fn act(&self, fault: LibraryFault) -> Result<String, Failure> {
        let acted = Acted { faulty: self, came: "a panic".to_owned() };
        let came = act(fault);
        acted.with(came.clone().unwrap_or_else(|error| format!("an error: {error}")));
        came.map_err(Failure::new)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What answers a call. None for what is not of this module.
    pub(crate) fn handle(&self, call: &Call<'_>) -> Option<Result<Vec<u8>, Failure>> {
        Some(match call.operation() {
            "Act" => rmp_serde::from_slice(call.payload())
                .map_err(Failure::from)
                .and_then(named)
                .and_then(|fault| self.act(fault).map(String::into_bytes)),
            "Arm" => self.arm(call.payload()),
            "Acted" => Ok(self.state().acted.clone().unwrap_or_else(|| "nothing".to_owned()).into_bytes()),
            "Lingering" => Ok(if self.state().lingering { b"yes".to_vec() } else { b"no".to_vec() }),
            "Echo" => Ok(call.payload().to_vec()),
            "Linger" => self.linger(),
            _ => return None,
        })
    }

    fn arm(&self, payload: &[u8]) -> Result<Vec<u8>, Failure> {
        let Arm { fault, stage } = rmp_serde::from_slice(payload)?;
        let stage = Stage::named(stage).ok_or_else(|| Failure::new(format!("{stage} is no stage")))?;
        self.state().armed = Some((named(fault)?, stage));
        Ok(b"armed".to_vec())
    }

    fn linger(&self) -> Result<Vec<u8>, Failure> {
        let mut state = self.state();
        state.lingering = true;
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
        self.0.state().ending = true;
        self.0.ended.notify_all();
    }
}

/// Notes what came of an act that the process has outlived, be it by a panic.
struct Acted<'a> {
    faulty: &'a Faulty,
    came: String,
}

impl Acted<'_> {
    fn with(mut self, came: String) {
        self.came = came;
    }
}

impl Drop for Acted<'_> {
    fn drop(&mut self) {
        self.faulty.state().acted = Some(std::mem::take(&mut self.came));
    }
}
