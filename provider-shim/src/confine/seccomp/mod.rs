//! Which system calls are let through. The lists are data, each call with its reason: [`allowed`] and [`alarming`].
//!
//! What is on neither list answers `ENOSYS`, as a kernel without it would, so that libraries fall back to what is there.
//! What is on the alarming list ends the process by `SIGSYS`: no honest provider does it, and the operator is to know.
#![allow(unsafe_code)]

mod alarming;
mod allowed;
mod program;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cofferdam_channel::protocol::control::Network;
use nix::errno::Errno;
use program::Answer;

use super::{Act, failed, keeps_the_network};

/// One filter, for the kernel has to run each at each call.
pub(super) struct Filter {
    program: Vec<libc::sock_filter>,
}

impl Filter {
    /// Writes it, for the process that this is.
    pub(super) fn write(network: &Network) -> Self {
        Self { program: program::write(&answers(keeps_the_network(network))) }
    }

    /// Puts it in force, for this thread and all that come from it.
    pub(super) fn install(mut self) -> Act {
        let program = libc::sock_fprog {
            len: u16::try_from(self.program.len()).expect("the lists are far shorter than a filter may be"),
            filter: self.program.as_mut_ptr(),
        };
        let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, 0);
        // SAFETY: the kernel reads as many instructions as there are, and copies them before it returns.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
        Errno::result(result).map(drop).map_err(failed("seccomp"))
    }
}

/// What is answered, by number. What is alarming stays so, whatever else says.
fn answers(network: bool) -> BTreeMap<u32, Answer> {
    let allowed = allowed::rules(network).map(|(call, which)| (call, rules::answer(which)));
    let alarming = alarming::CALLS.iter().map(|&call| (call, Answer::Trap));
    let number = |call: i64| u32::try_from(call).expect("the kernel's numbers are small");
    allowed.chain(alarming).map(|(call, answer)| (number(call), answer)).collect()
}
