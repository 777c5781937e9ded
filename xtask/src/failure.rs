//! The one error of xtask: written for the person at the terminal, never matched on by code.

use std::fmt;

/// Why a task stopped: what was attempted, what it printed last, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    attempted: String,
    printed: Vec<String>,
    next: Option<String>,
}

impl Failure {
    /// `attempted` is a sentence that says what was tried, on what, and how it ended.
    pub(crate) fn new(attempted: impl Into<String>) -> Self {
        Self { attempted: attempted.into(), printed: Vec::new(), next: None }
    }

    /// Adds the lines that explain the failure, shown indented.
    pub(crate) fn with_lines(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.printed.extend(lines);
        self
    }

    /// Adds what the reader should do next.
    pub(crate) fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl From<String> for Failure {
    fn from(attempted: String) -> Self {
        Self::new(attempted)
    }
}

impl From<&str> for Failure {
    fn from(attempted: &str) -> Self {
        Self::new(attempted)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.attempted)?;
        for line in &self.printed {
            write!(f, "\n    {line}")?;
        }
        match &self.next {
            Some(step) => write!(f, "\n  next: {step}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn shows_act_lines_and_next_step_in_this_order() {
        let failure = Failure::new("`cargo fmt` ended with exit status 1")
            .with_lines(["first".to_owned(), "second".to_owned()])
            .next("run `cargo fmt --all`");
        assert_eq!(
            failure.to_string(),
            "`cargo fmt` ended with exit status 1\n    first\n    second\n  next: run `cargo fmt --all`"
        );
        assert_eq!(Failure::from("bare").to_string(), "bare");
    }
}
