//! What is measured, in parts that can be asked for by name. Each is measured in a process of its own, so that none finds what
//! another has left: threads, memory, idle providers.

mod beside;
mod blocking;
mod cached;
mod calls;
mod cold;
mod crowd;
mod http;
mod idle;
mod loaded;
mod nested;
mod sizes;
mod starts;

use std::io;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::row::Row;

/// What comes before the name of the part that a process is to measure.
pub(crate) const ALONE: &str = "--alone";

/// One thing that is measured, and the rows that come of it.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    measure: fn() -> Vec<Row>,
}

/// What became of a part.
#[derive(Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) part: String,
    pub(crate) what: String,
    pub(crate) rows: Vec<Row>,
    /// Why there are no rows, if so.
    pub(crate) failed: Option<String>,
}

/// In the order of the table.
#[rustfmt::skip]
pub(crate) const PARTS: &[Part] = &[
    Part { name: "calls",    what: "a call to a provider, one in flight",   measure: calls::measure },
    Part { name: "cold",     what: "a call while both sides sleep",         measure: cold::measure },
    Part { name: "crowd",    what: "many callers",                          measure: crowd::measure },
    Part { name: "blocking", what: "a provider whose calls block",          measure: blocking::measure },
    Part { name: "sizes",    what: "large calls",                           measure: sizes::measure },
    Part { name: "http",     what: "requests over HTTP",                    measure: http::measure },
    Part { name: "nested",   what: "a call to another actor",               measure: nested::measure },
    Part { name: "starts",   what: "starts and restarts of a provider",     measure: starts::measure },
    Part { name: "cached",   what: "the start of a host that was here",     measure: cached::measure },
    Part { name: "beside",   what: "beside a provider in trouble",          measure: beside::measure },
    Part { name: "loaded",   what: "a host with many actors and shims",     measure: loaded::measure },
    Part { name: "idle",     what: "while nothing happens",                 measure: idle::measure },
];

impl Part {
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        PARTS.iter().find(|part| part.name == name)
    }

    /// Measures it in another process of this program.
    pub(crate) fn measure(&self) -> Measured {
        let (rows, failed) = match self.in_another_process() {
            Ok(rows) => (rows, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Measured { part: self.name.to_owned(), what: self.what.to_owned(), rows, failed }
    }

    fn in_another_process(&self) -> io::Result<Vec<Row>> {
        let mut command = Command::new(std::env::current_exe()?);
        // What it needs has been built.
        command.args([ALONE, self.name]).env("COFFERDAM_BUILT", "1").stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("its process ended with {}; what it said is above", output.status)));
        }
        serde_json::from_slice(&output.stdout).map_err(io::Error::other)
    }

    /// Measures it here, and says the rows to whoever started this process for it.
    pub(crate) fn tell(&self) -> io::Result<()> {
        serde_json::to_writer(io::stdout(), &(self.measure)()).map_err(io::Error::other)
    }
}

impl Measured {
    /// A part that could not be measured keeps no promise.
    pub(crate) fn holds(&self) -> bool {
        self.failed.is_none() && self.rows.iter().all(Row::holds)
    }
}
