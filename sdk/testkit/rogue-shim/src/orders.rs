//! What to do wrong, and when: read from a file beside the path that this program was started by.

use std::io;
use std::path::PathBuf;

use cofferdam_faults::{Fault, Stage};

/// What to do wrong, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    wrong: Option<(Fault, Stage)>,
}

impl Orders {
    /// What to do wrong now.
    pub(crate) fn at(self, stage: Stage) -> Option<Fault> {
        self.wrong.filter(|(_, when)| *when == stage).map(|(fault, _)| fault)
    }

    /// Those of a second start: none.
    pub(crate) const fn none() -> Self {
        Self { wrong: None }
    }
}

/// Reads them.
pub(crate) fn read() -> io::Result<Orders> {
    let program = PathBuf::from(std::env::args_os().next().unwrap_or_default());
    let text = std::fs::read_to_string(program.with_file_name("fault"))?;
    let wrong = text.split_once(' ').and_then(|(fault, stage)| {
        let stage = Stage::named(stage.trim())?;
        Some((Fault::named(fault)?, stage))
    });
    match wrong {
        Some(wrong) => Ok(Orders { wrong: Some(wrong) }),
        None => Err(io::Error::other(format!("{text:?} is no fault and stage"))),
    }
}
