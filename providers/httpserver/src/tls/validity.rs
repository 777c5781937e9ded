//! Until when a certificate is good, as far as a warning needs it: RFC 5280, section 4.1, read by hand because rustls tells it
//! of peers' certificates only. What can't be read is not warned of; clients judge by themselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// What is to be said of the certificate now, if anything.
pub(super) fn warning(certificate: &[u8], now: SystemTime) -> Option<&'static str> {
    let (begins, ends) = validity(certificate)?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    if now < begins {
        return Some("is not good yet, so clients refuse it; the clock of this machine may be wrong");
    }
    (now > ends).then_some("has expired, so clients refuse it; renew it, and set the link again")
}

/// From when until when, in seconds of UNIX time.
fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let (certificate, _) = item(certificate, SEQUENCE)?;
    let (mut rest, _) = item(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = item(rest, VERSION)?.1;
    }
    // The serial number, the algorithm, the issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = item(rest, tag)?.1;
    }
    let (validity, _) = item(rest, SEQUENCE)?;
    let (begins, rest) = time(validity)?;
    Some((begins, time(rest)?.0))
}

/// The content of what begins here, and what comes behind it.
fn item(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    // A length of its own, or that of so many bytes to come.
    let (length, rest) = match first {
        ..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

fn time(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (text, years_digits, rest) = match *bytes.first()? {
        UTC_TIME => item(bytes, UTC_TIME).map(|(text, rest)| (text, 2, rest))?,
        _ => item(bytes, GENERALIZED_TIME).map(|(text, rest)| (text, 4, rest))?,
    };
    let (year, text) = number(text, years_digits)?;
    // Of two digits, those from 50 are of the last century.
    let year = if years_digits == 4 { year } else { year + if year < 50 { 2000 } else { 1900 } };
    let (month, text) = number(text, 2)?;
    let (day, text) = number(text, 2)?;
    let (hour, text) = number(text, 2)?;
    let (minute, text) = number(text, 2)?;
    let (second, text) = number(text, 2)?;
    let is_good = text == b"Z" && year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_good.then(|| (((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second, rest))
}

fn number(text: &[u8], digits: usize) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// Days since 1970-01-01, by years that begin in March, so that a leap day is the last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::{validity, warning};

    #[test]
    fn what_is_said_of_certificates() {
        // By `date --date=… +%s`. From 2050 on, times have four digits of a year.
        let cases = [
            ((2000, 2, 29), (2049, 12, 31), (951_782_400, 2_524_521_600)),
            ((1970, 1, 1), (2050, 1, 1), (0, 2_524_608_000)),
            ((2024, 3, 1), (2400, 2, 29), (1_709_251_200, 13_574_563_200)),
        ];
        for ((y, m, d), (to_y, to_m, to_d), (begins, ends)) in cases {
            let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (date_time_ymd(y, m, d), date_time_ymd(to_y, to_m, to_d));
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(validity(certificate.der()), Some((begins, ends)));
            let at = |second: u64| warning(certificate.der(), UNIX_EPOCH + Duration::from_secs(second));
            assert_eq!([at(begins), at(ends)], [None, None]);
            assert!(at(ends + 1).unwrap().starts_with("has expired"));
            assert!(begins == 0 || at(begins - 1).unwrap().starts_with("is not good yet"));
            for length in 0..certificate.der().len() {
                // Any answer, and no panic.
                let _ = validity(&certificate.der()[..length]);
            }
        }
        for odd in [&b""[..], b"\x30", b"\x30\x80\x00", b"\x30\x85\x01\x01\x01\x01\x01", b"\x31\x00"] {
            assert_eq!(warning(odd, UNIX_EPOCH), None);
        }
    }
}
