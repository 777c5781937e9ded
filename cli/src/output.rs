//! Where results and errors go, and in which form. Colours only on a terminal, and never with `NO_COLOR`.

use std::io::{self, IsTerminal as _, Write as _};

use cofferdam_claims::deceives;
use serde::Serialize;

use crate::failure::Failure;

/// The form of results and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Text,
    /// For programs: one JSON value, and errors as one JSON line on stderr
    Json,
}

/// The two streams of this process.
pub(crate) struct Output {
    pub(crate) format: OutputFormat,
    /// What a line of stdout may have; `None` where nobody looks at its end.
    pub(crate) columns: Option<usize>,
    stdout_styled: bool,
    stderr_styled: bool,
}

/// How a word stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Heading,
    Good,
    Bad,
    Busy,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    error: &'a cofferdam_host::control::ErrorReport,
}

impl Output {
    pub(crate) fn new(format: OutputFormat) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let columns = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        Self {
            format,
            columns: columns.filter(|_| io::stdout().is_terminal()),
            stdout_styled: wanted && io::stdout().is_terminal(),
            stderr_styled: wanted && io::stderr().is_terminal(),
        }
    }

    /// The result: `value` for programs, or what `text` makes for people.
    #[must_use = "a result that nobody got is a failure"]
    pub(crate) fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Json => {
                let json = serde_json::to_string(value).expect("results have string keys and plain values");
                self.bytes(format!("{json}\n").as_bytes())
            }
            OutputFormat::Text => self.bytes(text().as_bytes()),
        }
    }

    /// Bytes as they are.
    #[must_use = "a result that nobody got is a failure"]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        written(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    }

    /// A remark for people, beside the result.
    pub(crate) fn note(&self, text: &str) {
        if self.format == OutputFormat::Text {
            let _ = writeln!(io::stderr(), "{}", Style::Busy.paint(text, self.stderr_styled));
        }
    }

    /// The reason for a failure.
    pub(crate) fn error(&self, failure: &Failure) {
        let report = &failure.report;
        let text = match self.format {
            OutputFormat::Json => {
                serde_json::to_string(&ErrorLine { error: report }).expect("an error report is plain text")
            }
            OutputFormat::Text => {
                let label = Style::Bad.paint("error:", self.stderr_styled);
                format!("{label} {}\n  next: {}", plain(&report.message), plain(&report.next))
            }
        };
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Text for stdout in a style.
    pub(crate) fn paint(&self, text: &str, style: Style) -> String {
        style.paint(text, self.stdout_styled)
    }
}

impl Style {
    fn paint(self, text: &str, styled: bool) -> String {
        let code = match self {
            Self::Heading => "1",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Busy => "33",
            Self::Plain => "",
        };
        if styled && !code.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// What became of a write to stdout. Whoever closed the pipe has seen enough, so that is no failure: `ps | head -1`
/// succeeds, also where the shell looks at every part of a pipeline.
pub(crate) fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::unprintable(&error)),
        _ => Ok(()),
    }
}

/// Text that others wrote, made harmless to a terminal and its reader: it may break lines, and no more.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && deceives(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(Style::Good.paint("ok", false), "ok");
        assert_eq!(Style::Good.paint("ok", true), "\u{1b}[32mok\u{1b}[0m");
        assert_eq!(Style::Plain.paint("ok", true), "ok");
        assert_eq!(plain("a\u{202e}b\u{200b}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }
}
