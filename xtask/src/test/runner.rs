//! The step that runs the tests: by cargo-nextest where it is installed, by `cargo test` elsewhere, and doc tests always by cargo.
//!
//! Both runners' closing lines are added up, so that the task can end with one line in the form of `cargo test`.

use std::path::Path;
use std::time::Duration;

use crate::Failure;
use crate::command::{Tool, cargo};

/// How many tests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

const ADVICE: &str = "run the failed test alone: `cargo test -p CRATE NAME -- --nocapture`";

/// Runs every test of the workspace; a run that finds no test at all is a failure.
pub(super) fn run(root: &Path) -> Result<Tally, Failure> {
    let nextest = cargo(root, ["nextest", "--version"]).capture().is_ok();
    let tests = if nextest {
        cargo(root, ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])
    } else {
        println!("cargo-nextest is not installed: using `cargo test`, which is slower and has no time limit on a test");
        cargo(root, ["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"])
    };
    // Tests run the programs of the workspace. They find them built, in this step too when it runs alone.
    super::build(root)?;
    let tests = tests.env("COFFERDAM_BUILT", "1");
    let mut tally = Tally::default();
    let outcome = counted(tests, &mut tally)
        .and_then(|()| counted(cargo(root, ["test", "--workspace", "--locked", "--doc"]), &mut tally));
    if let Err(failure) = outcome {
        // A run can fail without a failed test: then the tests' own line would say ok.
        if tally.failed > 0 {
            println!("{}", tally.closing_line(Duration::ZERO));
        }
        return Err(failure);
    }
    if tally.passed == 0 {
        return Err(Failure::new("the test runner passed without running a test").next("see what it printed above"));
    }
    Ok(tally)
}

fn counted(tool: Tool, tally: &mut Tally) -> Result<(), Failure> {
    tool.advice(ADVICE).watch(|line| {
        if let Some(more) = read_closing_line(line) {
            tally.passed += more.passed;
            tally.failed += more.failed;
            tally.ignored += more.ignored;
        }
    })
}

impl Tally {
    /// One line in the form in which `cargo test` closes.
    pub(super) fn closing_line(self, took: Duration) -> String {
        let verdict = if self.failed == 0 && self.passed > 0 { "ok" } else { "FAILED" };
        format!(
            "test result: {verdict}. {} passed; {} failed; {} ignored; 0 measured; 0 filtered out; finished in {:.2}s",
            self.passed,
            self.failed,
            self.ignored,
            took.as_secs_f64()
        )
    }
}

/// The counts in a closing line of either runner, if this is one.
fn read_closing_line(line: &str) -> Option<Tally> {
    let line = without_colours(line);
    // Cargo's line is not indented. One that is was printed by a test that nextest quotes, and is counted by its summary.
    let counts = match line.trim().strip_prefix("Summary [") {
        Some(rest) => rest.split_once("run:")?.1,
        None => line.strip_prefix("test result: ")?.split_once(". ")?.1,
    };
    let mut tally = Tally::default();
    for part in counts.split([';', ',']) {
        let mut words = part.split_whitespace();
        let (Some(Ok(count)), Some(kind)) = (words.next().map(str::parse::<u64>), words.next()) else {
            continue;
        };
        match kind {
            "passed" => tally.passed += count,
            "failed" | "timed" | "exec" => tally.failed += count,
            "ignored" | "skipped" => tally.ignored += count,
            _ => {}
        }
    }
    Some(tally)
}

/// The text without terminal escapes of the form `ESC [ … letter`.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' {
            signs.by_ref().find(|sign| sign.is_ascii_alphabetic());
        } else {
            plain.push(sign);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Tally, read_closing_line};

    #[test]
    fn closing_lines_of_both_runners_are_read() {
        let cases = [
            ("     Summary [   1.234s] 57 tests run: 57 passed (1 slow), 2 skipped", Some((57, 0, 2))),
            (
                "\u{1b}[32;1m     Summary\u{1b}[0m [   0.010s] \u{1b}[1m3\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m passed, \u{1b}[1m1\u{1b}[0m failed, \u{1b}[1m0\u{1b}[0m skipped",
                Some((2, 1, 0)),
            ),
            ("     Summary [  60.000s] 4/9 tests run: 1 passed, 2 failed, 1 timed out, 0 skipped", Some((1, 3, 0))),
            (
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                Some((5, 0, 1)),
            ),
            (
                "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s",
                Some((5, 2, 0)),
            ),
            ("    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out", None),
            ("test crate::module ... ok", None),
            ("Summary of nothing", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|(passed, failed, ignored)| Tally { passed, failed, ignored });
            assert_eq!(read_closing_line(line), expected, "{line}");
        }
    }

    #[test]
    fn our_own_closing_line_reads_like_one_of_cargo() {
        let tally = Tally { passed: 12, failed: 0, ignored: 3 };
        let line = tally.closing_line(Duration::from_millis(1500));
        assert_eq!(
            line,
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 1.50s"
        );
        assert_eq!(read_closing_line(&line), Some(tally));
        assert!(Tally::default().closing_line(Duration::ZERO).starts_with("test result: FAILED."));
    }
}
