//! Gives up what this process could do, before any thread and any foreign code exists.
//!
//! In this order: living longer than the host, writing a core, gaining privileges, being debugged or dumped. Namespaces, the root, limits, Landlock and seccomp have their place below, in the order of
//! `docs/sandbox.md`, once they are built.
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;

use crate::fault::ShimFault;

/// What is in force, a bit each, for the hello.
pub(crate) type Confinement = u64;

/// Only the control socket came in, no core is written, nothing can be gained, the host's end is ours.
const BASIC: Confinement = 1;

pub(crate) fn confine() -> Result<Confinement, ShimFault> {
    die_with_the_host()?;
    // A crash writes no core: its pages hold other people's payloads.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(failed("setrlimit(CORE)"))?;
    // Whatever is executed later, nobody gains privileges by it.
    prctl::set_no_new_privs().map_err(failed("prctl(NO_NEW_PRIVS)"))?;
    // No process of the same user may read our memory or attach to us.
    prctl::set_dumpable(false).map_err(failed("prctl(DUMPABLE)"))?;
    Ok(BASIC)
}

/// The kernel kills this process when the thread of the host that started it ends. Between the fork and this call
/// the host may have died already: then the control socket has reached its end, which the greeting finds.
fn die_with_the_host() -> Result<(), ShimFault> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("prctl(PDEATHSIG)"))
}

fn failed(act: &'static str) -> impl Fn(Errno) -> ShimFault {
    move |source| ShimFault::Confine { act, source }
}
