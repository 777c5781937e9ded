//! Gives up what this process could do, before any thread and any foreign code exists.
//!
//! In this order: living longer than the host, ending before it says so, writing a core, gaining privileges, being debugged or dumped. Namespaces, the root, limits, Landlock and seccomp have their place below, in the order of
//! `docs/sandbox.md`, once they are built.
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::fault::ShimFault;

/// What is in force, a bit each, for the hello.
pub(crate) type Confinement = u64;

/// Only the control socket came in, no core is written, nothing can be gained, the host's end is ours.
const BASIC: Confinement = 1;

pub(crate) fn confine() -> Result<Confinement, ShimFault> {
    die_with_the_host()?;
    leave_the_end_to_the_host()?;
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

/// A terminal sends Ctrl-C to the whole group, and `timeout` its signal, too: the host drains its providers then, and they
/// must live to be drained. Who wants to end a shim at once has SIGKILL.
#[allow(unsafe_code)]
fn leave_the_end_to_the_host() -> Result<(), ShimFault> {
    for ended_by in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: ignoring a signal installs no code that could run in a wrong moment.
        unsafe { signal(ended_by, SigHandler::SigIgn) }.map_err(failed("signal"))?;
    }
    Ok(())
}

fn failed(act: &'static str) -> impl Fn(Errno) -> ShimFault {
    move |source| ShimFault::Confine { act, source }
}
