//! Why the operator's socket could not be served, or a host not be asked. Each variant knows its word and the next step.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::protocol::ErrorReport;
use crate::words::{Blame, Outcome};

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another host has it.
    #[error("cannot serve the socket {path}: another host{who} serves it", path = .path.display(), who = pid_text(*.pid))]
    Taken {
        /// The socket.
        path: PathBuf,
        /// The other host, when it could be asked.
        pid: Option<u32>,
    },
    /// Some file that is no socket lies there.
    #[error("cannot serve the socket {path}: there is a file that is no socket", path = .path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else could replace the socket.
    #[error("cannot serve a socket in {folder}: {why}", folder = .folder.display())]
    UnsafeFolder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system has a limit on the length of such a path.
    #[error("cannot serve the socket {path}: its path is longer than {bytes_max} bytes", path = .path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// The limit.
        bytes_max: usize,
    },
    /// The system said no.
    #[error("cannot {act} {path}: {source}", path = .path.display())]
    System {
        /// What was attempted.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Why a host gave no answer, or one that is no.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody serves the socket.
    #[error("no host serves the socket {path}: {source}", path = .path.display())]
    NoHost {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket is there and cannot be opened.
    #[error("cannot open the socket {path}: {source}", path = .path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else serves the socket.
    #[error("the socket {path} is served by user {uid}, who is neither you nor root", path = .path.display())]
    NotOurs {
        /// The socket.
        path: PathBuf,
        /// The other user.
        uid: u32,
    },
    /// The deadline passed.
    #[error("the host at {path} did not answer `{op}` within {waited:?}", path = .path.display())]
    TooLate {
        /// The socket.
        path: PathBuf,
        /// What was asked.
        op: &'static str,
        /// The time it had.
        waited: Duration,
    },
    /// The connection ended before the answer.
    #[error("the host at {path} went away during `{op}`: {why}", path = .path.display())]
    Lost {
        /// The socket.
        path: PathBuf,
        /// What was asked.
        op: &'static str,
        /// How it ended.
        why: String,
    },
    /// The answer makes no sense.
    #[error("the host at {path} answered `{op}` with nonsense: {why}", path = .path.display())]
    Nonsense {
        /// The socket.
        path: PathBuf,
        /// What was asked.
        op: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The host's own error.
    #[error(transparent)]
    Answered(#[from] ErrorReport),
}

impl ServerError {
    /// The error for programs.
    pub fn report(&self) -> ErrorReport {
        let (kind, next) = match self {
            Self::Taken { .. } => ("host_running", "stop that host, or choose another --namespace or --socket"),
            Self::NotASocket { .. } => ("socket_not_a_socket", "move that file away, or choose another --socket"),
            Self::UnsafeFolder { .. } => {
                ("socket_folder_unsafe", "choose a --socket in a folder that only you can write to")
            }
            Self::PathTooLong { .. } => ("socket_path_too_long", "choose a shorter --socket"),
            Self::System { .. } => {
                ("socket_failed", "check the folder and its permissions, or choose another --socket")
            }
        };
        report(Blame::Operator, kind, Outcome::NotDelivered, self, next)
    }
}

impl ClientError {
    /// The error for programs.
    pub fn report(&self) -> ErrorReport {
        use Outcome::{NotDelivered, Unknown};
        let (blame, kind, outcome, next) = match self {
            Self::NoHost { .. } => {
                let next = "start one with `cofferdam run`, or name its socket by --socket or --namespace";
                (Blame::Operator, "no_host", NotDelivered, next)
            }
            Self::Unreachable { .. } => {
                (Blame::Operator, "socket_unreachable", NotDelivered, "ask as the user who runs the host, or as root")
            }
            Self::NotOurs { .. } => {
                (Blame::Operator, "socket_not_ours", NotDelivered, "ask as the user who runs the host")
            }
            Self::TooLate { .. } => (Blame::Host, "deadline_exceeded", Unknown, "look at the host's load and its log"),
            Self::Lost { .. } => (Blame::Host, "host_lost", Unknown, "look at the host's log"),
            Self::Nonsense { .. } => {
                (Blame::Peer, "malformed_reply", Unknown, "use a `cofferdam` of the host's version")
            }
            Self::Answered(answered) => return answered.clone(),
        };
        report(blame, kind, outcome, self, next)
    }
}

fn report(blame: Blame, kind: &str, outcome: Outcome, error: &dyn std::error::Error, next: &str) -> ErrorReport {
    ErrorReport { blame, kind: kind.to_owned(), outcome, message: error.to_string(), next: next.to_owned() }
}

fn pid_text(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}
