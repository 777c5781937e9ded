//! How errors write times, lists, and text that nobody vouches for.

/// Whether a character drives a terminal, ends a line, or hides or reorders text: nobody's words are shown with it.
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text that nobody vouches for, as one line: what deceives is escaped, and a tab, which would move a table, is a space.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(' '),
            _ if deceives(c) => shown.extend(c.escape_default()),
            _ => shown.push(c),
        }
    }
    shown
}

/// Text out of a file that nobody vouches for, made fit for an error: short, and nothing that a terminal obeys.
pub(crate) fn plain(text: &str) -> String {
    const CHARS_MAX: usize = 160;
    let mut chars = text.chars();
    let shown = chars.by_ref().take(CHARS_MAX).map(|c| if deceives(c) { '\u{fffd}' } else { c });
    let mut shown: String = shown.collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// A time for people: `2026-01-31 12:00:00 UTC`. What lies beyond the year 9999 stays a number.
pub(super) fn utc(seconds: u64) -> String {
    const DAY_S: u64 = 86_400;
    const YEAR_10000_S: u64 = 253_402_300_800;
    if seconds >= YEAR_10000_S {
        return format!("second {seconds} since 1970");
    }
    // Days are counted from 0000-03-01, so that the leap day is the last of its year.
    let days = seconds / DAY_S + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Names for a sentence.
pub(super) fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{deceives, plain, utc};

    #[test]
    fn times_read_as_dates() {
        let cases = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_613_572_405, "2021-02-17 14:33:25 UTC"),
            (1_767_225_599, "2025-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (253_402_300_800, "second 253402300800 since 1970"),
            (u64::MAX, "second 18446744073709551615 since 1970"),
        ];
        for (seconds, text) in cases {
            assert_eq!(utc(seconds), text);
        }
    }

    #[test]
    fn what_hides_or_reorders_is_known() {
        let cases = [
            ("a é ✓ 語 \u{200a}\u{2010}\u{205f}\u{2070}\u{fefe}\u{e0080}", false),
            ("\0\t\n\u{7f}\u{85}\u{ad}\u{61c}\u{180e}\u{200b}\u{200f}\u{2028}\u{202a}\u{202e}", true),
            ("\u{2060}\u{2064}\u{2066}\u{2069}\u{206f}\u{feff}\u{fff9}\u{fffb}\u{e0001}\u{e007f}", true),
        ];
        for (text, expected) in cases {
            for c in text.chars() {
                assert_eq!(deceives(c), expected, "{}", c.escape_unicode());
            }
        }
    }

    #[test]
    fn foreign_text_is_short_and_harmless() {
        assert_eq!(plain("a\u{1b}b"), "a\u{fffd}b");
        assert_eq!(plain("a\u{202e}b\u{200b}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(plain(&"x".repeat(160)), "x".repeat(160));
        assert_eq!(plain(&"x".repeat(161)), format!("{}…", "x".repeat(160)));
    }
}
