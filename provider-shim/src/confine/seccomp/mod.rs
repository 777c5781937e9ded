//! Which system calls are let through. The lists are data, each call with its reason: [`allowed`] and [`alarming`].
//!
//! What is on neither list answers `ENOSYS`, as a kernel without it would, so that libraries fall back to what is there.
//! What is on the alarming list ends the process by `SIGSYS`: no honest provider does it, and the operator is to know.

mod alarming;
mod allowed;
mod rules;

use std::io;

use cofferdam_channel::protocol::control::Network;
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

use super::{Act, failed, keeps_the_network};

/// From now on, for this thread and all that come from it.
pub(super) fn install(network: &Network) -> Act {
    let alarming = alarming::rules().into_iter().collect();
    let allowed = allowed::rules(keeps_the_network(network))
        .map_err(io::Error::other)
        .map_err(failed("writing the seccomp rules"))?;
    let enosys = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    // Two filters, because one knows a single answer beside its default. The strictest answer wins. The one that refuses
    // to install filters has to come last.
    let first = program(SeccompFilter::new(alarming, SeccompAction::Allow, SeccompAction::Trap, arch()?))?;
    let second = program(SeccompFilter::new(allowed, enosys, SeccompAction::Allow, arch()?))?;
    apply_filter(&first).map_err(io::Error::other).map_err(failed("seccomp"))?;
    apply_filter(&second).map_err(io::Error::other).map_err(failed("seccomp"))
}

fn program(filter: Result<SeccompFilter, BackendError>) -> Act<BpfProgram> {
    filter.and_then(BpfProgram::try_from).map_err(io::Error::other).map_err(failed("compiling the seccomp rules"))
}

fn arch() -> Act<TargetArch> {
    TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other).map_err(failed("seccomp"))
}
