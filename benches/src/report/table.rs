//! The table for a terminal: a line for each row, under the name of its part.

use std::fmt::Write as _;

use super::number::{number, promise, result};
use crate::parts::Measured;
use crate::row::Row;

pub(super) fn draw(parts: &[Measured]) -> String {
    let mut table = line(["", "floor or peer", "", "ours", "result", "promised", ""]);
    for part in parts {
        let Measured { part: name, what, rows, failed } = part;
        let _ = writeln!(table, "\n{name}: {what}");
        table.extend(rows.iter().map(of_row));
        if let Some(failed) = failed {
            let _ = writeln!(table, "  FAILED, nothing was measured: {failed}");
        }
    }
    let promised = || parts.iter().flat_map(|part| &part.rows).filter(|row| row.promise.is_some());
    let holding = promised().filter(|row| row.holds()).count();
    let failed = parts.iter().filter(|part| part.failed.is_some()).count();
    let _ = write!(table, "\npromises: {holding} hold, {} broken", promised().count() - holding);
    if failed > 0 {
        let _ = write!(table, "; {failed} parts could not be measured");
    }
    table
}

fn of_row(row: &Row) -> String {
    let (peer, value) = match &row.peer {
        Some(peer) => (peer.what.as_str(), number(peer.value, Some(row.unit))),
        None => ("", String::new()),
    };
    let (ours, result, promise) = (number(row.ours, Some(row.unit)), result(row), promise(row));
    let verdict = match row.promise {
        None => "",
        Some(_) if row.holds() => "ok",
        Some(_) => "BROKEN",
    };
    line([&row.what, peer, &value, &ours, &result, &promise, verdict])
}

fn line([what, peer, value, ours, result, promise, verdict]: [&str; 7]) -> String {
    let line = format!("  {what:42} {peer:28} {value:>10} {ours:>10} {result:>9} {promise:>11} {verdict}");
    format!("{}\n", line.trim_end())
}
