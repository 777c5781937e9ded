//! Why a command did not do what was asked: one error for programs, and the exit code that goes with it.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use cofferdam_claims::{Check, ClaimsError, Fault, KeyError, unreadable, unwritable};
use cofferdam_host::HostError;
use cofferdam_host::control::paths::PathError;
use cofferdam_host::control::{ClientError, ErrorReport};
use cofferdam_host::manifest::ManifestError;
use cofferdam_host::words::{Blame, Outcome};

/// The exit codes. They never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Also when the result could not be written to standard output. A pipe that its reader closed is no failure.
    Failed = 1,
    /// The command line or a file is wrong.
    Usage = 2,
    /// Well formed, and turned down: by claims, policy or trust.
    Refused = 3,
    NoHost = 4,
    TooLate = 5,
    /// We are wrong.
    Bug = 70,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) report: ErrorReport,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Failure {
    /// The operator's to mend; nothing was done.
    pub(crate) fn new(exit: Exit, kind: &str, message: impl Into<String>, next: impl Into<String>) -> Self {
        let (blame, outcome, kind) = (Blame::Operator, Outcome::NotDelivered, kind.to_owned());
        Self { exit, report: ErrorReport { blame, kind, outcome, message: message.into(), next: next.into() } }
    }

    /// A command line that clap refused, in one line.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let mut lines =
            text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
        let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let rest: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("tip:")).collect();
        let message = if rest.is_empty() { first } else { format!("{first} {}", rest.join(", ")) };
        Self::new(Exit::Usage, "usage", message, "see `cofferdam --help`")
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let message = format!("{}: cannot be read: {error}", path.display());
        Self::new(Exit::Usage, "file_unreadable", message, unreadable(error))
    }

    /// A result that could not be written to standard output: what was asked for was done, and nobody was told.
    pub(crate) fn unprintable(error: &std::io::Error) -> Self {
        let message = format!("the result cannot be written to standard output: {error}");
        let next = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free some space where standard output goes, or send it to another place"
            }
            _ => "send standard output to another place",
        };
        let mut failure = Self::new(Exit::Failed, "output_unwritable", message, next);
        failure.report.outcome = Outcome::Unknown;
        failure
    }

    /// A file that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        let message = format!("{}: cannot be written: {error}", path.display());
        Self::new(Exit::Failed, "file_unwritable", message, unwritable(error))
    }
}

impl From<ClaimsError> for Failure {
    fn from(error: ClaimsError) -> Self {
        let exit = match error.fault() {
            Fault::Unwritable { .. } => Exit::Failed,
            _ if error.is_refusal() => Exit::Refused,
            _ => Exit::Usage,
        };
        let kind = match error.check() {
            Check::NotBefore => "claims_not_before".to_owned(),
            check => format!("claims_{check}"),
        };
        Self::new(exit, &kind, error.to_string(), error.next_step())
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let with_cause = match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let (exit, next) = match &error {
            KeyError::File { act: "write", source, .. } if source.kind() == ErrorKind::AlreadyExists => {
                (Exit::Failed, "choose another file: a seed is never overwritten")
            }
            KeyError::File { act: "write", source, .. } => (Exit::Failed, unwritable(source)),
            KeyError::File { source, .. } => (Exit::Usage, unreadable(source)),
            KeyError::UnknownKind { .. } => (Exit::Usage, "name one of these kinds"),
            KeyError::NotAKey { .. } => (
                Exit::Usage,
                "give a public key of 56 characters; `cofferdam inspect FILE` prints the one of a seed file",
            ),
            KeyError::Checksum { .. } => (
                Exit::Usage,
                "copy the key again, a letter of it is wrong; `cofferdam inspect FILE` prints a file's keys",
            ),
            KeyError::WrongKind { .. } => (Exit::Usage, "give a key of that kind; `cofferdam keys gen` makes one"),
            KeyError::NotASeed { .. } | KeyError::NoSeed { .. } => {
                (Exit::Usage, "give a file made by `cofferdam keys gen --out`")
            }
        };
        Self::new(exit, "key", with_cause, next)
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        Self::new(Exit::Usage, "no_place", error.to_string(), error.next_step())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NoHost { .. } => Exit::NoHost,
            ClientError::NotOurs { .. } => Exit::Refused,
            ClientError::TooLate { .. } => Exit::TooLate,
            ClientError::Answered(report) => exit_of(&report.kind),
            _ => Exit::Failed,
        };
        Self { exit, report: error.report() }
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Self::new(Exit::Usage, error.kind(), error.to_string(), error.next_step())
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let report = error.report();
        let exit = match error {
            HostError::Claims(error) => return error.into(),
            HostError::Manifest(error) => return error.into(),
            HostError::ActorRefused { .. } | HostError::LinkDenied { .. } => Exit::Refused,
            HostError::Key(_) | HostError::Actor { .. } | HostError::OtherContract { .. } => Exit::Usage,
            HostError::Source(_) | HostError::Paths(_) => Exit::Usage,
            HostError::Registry(error) if error.is_late() => Exit::TooLate,
            HostError::Registry(error) if error.is_refusal() => Exit::Refused,
            HostError::Registry(error) if error.is_usage() => Exit::Usage,
            HostError::BindTimeout { .. } => Exit::TooLate,
            _ => exit_of(&report.kind),
        };
        Self { exit, report }
    }
}

/// The exit code for the host's own word.
fn exit_of(kind: &str) -> Exit {
    match kind {
        "denied" | "not_permitted" => Exit::Refused,
        "deadline_exceeded" | "actor_runs_on" => Exit::TooLate,
        "internal" => Exit::Bug,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_words_have_exit_codes() {
        let cases = [
            ("denied", Exit::Refused),
            ("not_permitted", Exit::Refused),
            ("deadline_exceeded", Exit::TooLate),
            ("internal", Exit::Bug),
            ("no_such_actor", Exit::Failed),
            ("a word of a later version", Exit::Failed),
        ];
        for (kind, exit) in cases {
            assert_eq!(exit_of(kind), exit, "{kind}");
        }
    }
}
