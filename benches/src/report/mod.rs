//! What a run comes to, for people and for programs: a table, JSON, and a plot.

mod number;
mod plot;
mod table;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::parts::Measured;
use crate::row::Row;

/// All parts that were measured in one run.
pub(crate) struct Report {
    pub(crate) parts: Vec<Measured>,
}

impl Report {
    pub(crate) fn holds(&self) -> bool {
        self.parts.iter().all(Measured::holds)
    }

    pub(crate) fn table(&self) -> String {
        table::draw(&self.parts)
    }

    /// Times and rates are in the unit that stands beside them.
    pub(crate) fn json(&self) -> Value {
        let parts = self.parts.iter().map(|part| {
            let rows: Vec<Value> = part.rows.iter().map(row).collect();
            json!({ "part": part.part, "what": part.what, "failed": part.failed, "rows": rows })
        });
        json!({ "holds": self.holds(), "parts": parts.collect::<Vec<_>>() })
    }

    /// Writes `bench.json` and `bench.svg`, and says where.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<[PathBuf; 2]> {
        fs::create_dir_all(folder)?;
        let files = ["bench.json", "bench.svg"].map(|name| folder.join(name));
        fs::write(&files[0], format!("{:#}\n", self.json()))?;
        fs::write(&files[1], plot::draw(&self.parts))?;
        Ok(files)
    }
}

/// A row with what is made of it.
fn row(row: &Row) -> Value {
    let mut value = serde_json::to_value(row).expect("numbers and text");
    value["result"] = json!(row.result());
    value["holds"] = json!(row.holds());
    value["used"] = json!(row.used());
    value
}
