//! Panics: they are our bugs. The user is told where and what to do, never with what data: a panic's own words may hold a
//! payload.
//!
//! The hook only reports, because the host catches panics of its callees and goes on; the exit code comes from
//! [`guard`], when one reaches `main`.

use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe, Location};
use std::process::ExitCode;

use crate::failure::Exit;

/// Makes every panic of the process report itself on stderr in one line.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info| {
        // Not `eprintln!`, which panics itself where stderr takes nothing.
        let _ = writeln!(io::stderr(), "{}", report(info.location()));
    }));
}

/// Runs the command; a panic that gets here ends the process with the code for our bugs.
pub(crate) fn guard(command: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| Exit::Bug.into())
}

fn report(location: Option<&Location<'_>>) -> String {
    let place = location.map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    format!("cofferdam {version}: internal error{place}; this is a bug of ours, please report it with this line")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_reported_without_its_words() {
        let exit = guard(|| panic!("the secret"));
        assert_eq!(format!("{exit:?}"), format!("{:?}", ExitCode::from(70)));
        let text = report(Some(Location::caller()));
        assert!(text.contains("bug.rs:") && text.ends_with("please report it with this line"), "{text}");
    }
}
