//! Why a process is not bounded by a control group, and how to get there. Always the operator's or the system's doing,
//! never the provider's.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::place::Controller;

/// Why there is no control group.
#[derive(Debug, Error)]
pub(in crate::provider) enum CgroupError {
    /// Nothing mounted, or not what is needed.
    #[error("the control groups of this system have no controller for {}", words(.missing))]
    NoController {
        /// What is missing.
        missing: Vec<Controller>,
    },
    /// It is run by somebody else, who may not expect groups in it.
    #[error("the control group {group} is not delegated to this host")]
    NotDelegated {
        /// Which.
        group: PathBuf,
    },
    /// A group with groups of ours in it may hold no process, and these are not ours to move.
    #[error("the control group {group} holds other processes than this host, the first of them {pid}")]
    Shared {
        /// Which.
        group: PathBuf,
        /// Whose processes they are.
        pid: u32,
    },
    /// The system refused.
    #[error("{act} {path}: {source}")]
    System {
        /// What was attempted.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It was to be born in a group, and is elsewhere.
    #[error("process {pid} is not in the control group {group}")]
    Elsewhere {
        /// Which process.
        pid: u32,
        /// Where it should be.
        group: PathBuf,
    },
}

impl CgroupError {
    /// What to do next, for a person.
    pub(in crate::provider) const fn next_step(&self) -> &'static str {
        match self {
            Self::NoController { .. } => {
                "mount control groups with memory, pids and cpu (version 2 or 1), and give the host's own group these \
                 controllers"
            }
            Self::NotDelegated { .. } => "run the host as a systemd service with `Delegate=yes`; see docs/sandbox.md",
            Self::Shared { .. } => {
                "run the host as the only process of its systemd service, or with `DelegateSubgroup=host`; see \
                 docs/sandbox.md"
            }
            Self::System { .. } => {
                "run the host as root, or as a systemd service with `Delegate=yes`; see docs/sandbox.md"
            }
            Self::Elsewhere { .. } => "see who moves processes between control groups here",
        }
    }

    pub(super) fn system(act: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::System { act, path, source }
    }
}

fn words(controllers: &[Controller]) -> String {
    controllers.iter().map(|controller| controller.word()).collect::<Vec<_>>().join(", ")
}
