//! Numbers with bounds, and sizes and times with units.

use std::time::Duration;

use super::fault::{Fault, shown};

const UNITS: &[(&str, u64)] = &[("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// A whole number from 1 to `max`.
pub(super) fn count(text: &str, max: u32) -> Result<u32, Fault> {
    number(text, 1, max)
}

/// A whole number from `min` to `max`.
pub(super) fn number(text: &str, min: u32, max: u32) -> Result<u32, Fault> {
    match digits(text).and_then(|number| u32::try_from(number).ok()) {
        Some(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(Fault::NotANumber { found: shown(text), min, max }),
    }
}

/// A size in bytes, from `min` to `max`, written `65536`, `64KiB` or `64 MiB`.
pub(super) fn bytes(text: &str, min: u64, max: u64) -> Result<u64, Fault> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, factor)| *factor);
    let size = factor.zip(digits(number)).and_then(|(factor, number)| number.checked_mul(factor));
    match size {
        Some(size) if (min..=max).contains(&size) => Ok(size),
        _ => Err(Fault::NotASize { found: shown(text), min, max }),
    }
}

/// A time, from `min` to `max`, written `500ms`, `60s`, `5m` or `1 h`.
pub(super) fn duration(text: &str, min: Duration, max: Duration) -> Result<Duration, Fault> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_ms = TIMES.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, unit_ms)| *unit_ms);
    let time = unit_ms.zip(digits(number)).and_then(|(unit_ms, number)| number.checked_mul(unit_ms));
    match time.map(Duration::from_millis) {
        Some(time) if (min..=max).contains(&time) => Ok(time),
        _ => Err(Fault::NotADuration { found: shown(text), min, max }),
    }
}

/// A number with up to three decimals, in thousandths, from `min` to `max` of them, written `2`, `0.5` or `1.125`.
pub(super) fn thousandths(text: &str, min: u32, max: u32) -> Result<u32, Fault> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let decimals = (1..=3).contains(&decimals.len()).then(|| digits(&format!("{decimals:0<3}"))).flatten();
    let number = digits(whole).zip(decimals);
    let milli = number.and_then(|(whole, decimals)| whole.checked_mul(1000)?.checked_add(decimals));
    match milli.and_then(|milli| u32::try_from(milli).ok()) {
        Some(milli) if (min..=max).contains(&milli) => Ok(milli),
        _ => Err(Fault::NotADecimal { found: shown(text), min: f64::from(min) / 1000.0, max: max / 1000 }),
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        let cases = [
            ("65536", Some(65536)),
            ("65535", None),
            ("64KiB", Some(64 << 10)),
            ("64 MiB", Some(64 << 20)),
            ("4GiB", Some(4 << 30)),
            ("4294967297", None),
            ("64MB", None),
            ("64mib", None),
            ("MiB", None),
            ("1.5GiB", None),
            ("-1", None),
            ("+70000", None),
            ("18446744073709551616", None),
            ("18446744073709551615GiB", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text, 65536, 4 << 30).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn decimals_have_bounds() {
        let cases = [
            ("0.5", Some(500)),
            ("2", Some(2000)),
            ("1.125", Some(1125)),
            ("0.01", Some(10)),
            ("0.009", None),
            ("64", Some(64_000)),
            ("64.001", None),
            ("0.0005", None),
            ("1.", None),
            (".5", None),
            ("1.2.3", None),
            ("1e1", None),
            ("-1", None),
            ("+1", None),
            ("1.+5", None),
            ("500m", None),
            ("18446744073709551615", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(thousandths(text, 10, 64_000).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn counts_have_bounds() {
        for (text, expected) in
            [("1", Some(1)), ("0", None), ("16", Some(16)), ("17", None), ("+1", None), ("", None), ("1e1", None)]
        {
            assert_eq!(count(text, 16).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn times_have_units_and_bounds() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(3600));
        for (text, expected_ms) in [
            ("1s", Some(1000)),
            ("1000 ms", Some(1000)),
            ("999ms", None),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("3601s", None),
            ("60", None),
            ("1.5s", None),
            ("s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
            ("-1s", None),
        ] {
            assert_eq!(duration(text, min, max).ok(), expected_ms.map(Duration::from_millis), "{text:?}");
        }
    }
}
