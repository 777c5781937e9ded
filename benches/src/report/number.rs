//! Numbers as people read them.

use crate::row::{Promise, Row, Unit};

/// Three digits that mean something, thousands apart, and the unit.
pub(super) fn number(value: f64, unit: Option<Unit>) -> String {
    let digits = match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => thousands(value),
    };
    let digits = if unit == Some(Unit::Ticks) { format!("{value:.0}") } else { digits };
    let unit = unit.map_or("x", Unit::text);
    format!("{digits} {unit}").trim_end().to_owned()
}

fn thousands(value: f64) -> String {
    let plain = format!("{value:.0}");
    let (sign, digits) = plain.strip_prefix('-').map_or(("", &*plain), |digits| ("-", digits));
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    format!("{sign}{}", groups.join(","))
}

/// What the promise is about, as measured.
pub(super) fn result(row: &Row) -> String {
    number(row.result(), row.result_unit())
}

/// `≤ 1.50 x`, or nothing.
pub(super) fn promise(row: &Row) -> String {
    match row.promise {
        None => String::new(),
        Some(Promise::AtMost(limit)) => format!("≤ {}", number(limit, row.result_unit())),
        Some(Promise::AtLeast(limit)) => format!("≥ {}", number(limit, row.result_unit())),
    }
}

#[cfg(test)]
mod tests {
    use super::number;
    use crate::row::Unit;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0421, None, "0.04 x"),
            (15.0, None, "15.0 x"),
            (8.456, Some(Unit::Micros), "8.46 µs"),
            (99.95, Some(Unit::Kib), "100.0 KiB"),
            (1_234_567.8, Some(Unit::PerSecond), "1,234,568 /s"),
            (-4321.0, Some(Unit::Micros), "-4,321 µs"),
            (0.25, Some(Unit::Part), "0.25"),
            (0.0, Some(Unit::Ticks), "0 ticks"),
            (f64::INFINITY, None, "inf x"),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(number(value, unit), expected);
        }
    }
}
