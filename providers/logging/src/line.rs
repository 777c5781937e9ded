//! One line of an actor as a line of the host's log: what can't be told from the host's own words is taken out.

use std::fmt::Write;

use cofferdam_provider::Level;

/// The most bytes of a target that are shown.
pub(crate) const TARGET_BYTES_MAX: usize = 128;
/// The most bytes of a text that are shown.
pub(crate) const TEXT_BYTES_MAX: usize = 4096;

/// The host's level for one of the contract. The contract has no other names; what is unknown is `info`, as its own
/// crate has it.
pub(crate) fn level(name: &str) -> Level {
    match name.to_ascii_lowercase().as_str() {
        "error" => Level::ERROR,
        "warn" => Level::WARN,
        "debug" | "trace" => Level::DEBUG,
        _ => Level::INFO,
    }
}

/// `[actor] target: text`, on one line whatever is in it.
pub(crate) fn line(actor: &str, target: &str, text: &str) -> String {
    let mut line = format!("[{actor}] ");
    if !target.is_empty() {
        append(&mut line, target, TARGET_BYTES_MAX);
        line.push_str(": ");
    }
    append(&mut line, text, TEXT_BYTES_MAX);
    line
}

/// Appends text that somebody else wrote, escaped, cut at a bound with a word on how much is missing.
fn append(line: &mut String, text: &str, bytes_max: usize) {
    let shown = &text[..text.floor_char_boundary(bytes_max)];
    for sign in shown.chars() {
        if deceives(sign) {
            line.extend(sign.escape_default());
        } else {
            line.push(sign);
        }
    }
    let missing_bytes = text.len() - shown.len();
    if missing_bytes > 0 {
        write!(line, "… ({missing_bytes} bytes more)").expect("a string takes everything");
    }
}

/// Control characters (line ends, terminal escapes) and what reorders or hides text.
fn deceives(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(sign, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{TARGET_BYTES_MAX, TEXT_BYTES_MAX, level, line};

    #[test]
    fn levels_of_the_contract() {
        let cases = [("error", 0), ("WARN", 1), ("info", 2), ("debug", 3), ("trace", 3), ("", 2), ("fatal", 2)];
        for (name, expected) in cases {
            assert_eq!(level(name).0, expected, "{name:?}");
        }
    }

    #[test]
    fn lines_are_one_line() {
        let cases = [
            ("", "plain ✓", "[MA] plain ✓"),
            ("app::x", "plain", "[MA] app::x: plain"),
            ("", "two\nlines\r\t\u{0}", "[MA] two\\nlines\\r\\t\\u{0}"),
            ("a\nb", "\u{1b}[31mred", "[MA] a\\nb: \\u{1b}[31mred"),
            ("", "\u{202e}desrever\u{2028}x", "[MA] \\u{202e}desrever\\u{2028}x"),
            ("", "a\u{61c}b\u{ad}c\u{e0041}d", "[MA] a\\u{61c}b\\u{ad}c\\u{e0041}d"),
        ];
        for (target, text, expected) in cases {
            assert_eq!(line("MA", target, text), expected);
        }
    }

    #[test]
    fn long_ones_are_cut_between_characters() {
        let cases = [
            (String::new(), "x".repeat(TEXT_BYTES_MAX), "x".repeat(TEXT_BYTES_MAX)),
            (String::new(), "x".repeat(TEXT_BYTES_MAX + 1), format!("{}… (1 bytes more)", "x".repeat(TEXT_BYTES_MAX))),
            (
                String::new(),
                format!("x{}", "é".repeat(TEXT_BYTES_MAX / 2)),
                format!("x{}… (2 bytes more)", "é".repeat(TEXT_BYTES_MAX / 2 - 1)),
            ),
            (
                "t".repeat(TARGET_BYTES_MAX + 2),
                "end".into(),
                format!("{}… (2 bytes more): end", "t".repeat(TARGET_BYTES_MAX)),
            ),
        ];
        for (target, text, expected) in cases {
            assert_eq!(line("MA", &target, &text), format!("[MA] {expected}"));
        }
    }
}
