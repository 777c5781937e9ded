//! What a process may do by being who it is.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};

use super::{Act, failed};

/// Ends when the host ends, and not before the host says so; a crash writes no core, for its pages hold other people's
/// payloads.
pub(super) fn end_with_the_host() -> Act {
    die_with_the_host()?;
    leave_the_end_to_the_host()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(failed("setrlimit(CORE)"))
}

/// The kernel kills this process when the thread of the host that started it ends. A fork and a change of credentials
/// undo it, so it is said again after those. The host may have died already: then the control socket has reached its
/// end, which whoever reads it finds.
pub(super) fn die_with_the_host() -> Act {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("prctl(PDEATHSIG)"))
}

/// A terminal sends Ctrl-C to the whole group, and `timeout` its signal, too: the host drains its providers then, and
/// they must live to be drained. Who wants to end a shim at once has SIGKILL.
fn leave_the_end_to_the_host() -> Act {
    for ended_by in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: ignoring a signal installs no code that could run in a wrong moment.
        unsafe { signal(ended_by, SigHandler::SigIgn) }.map_err(failed("signal"))?;
    }
    Ok(())
}

/// Does not take the processor from whoever wakes this process.
pub(super) fn give_way() -> Act {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the call reads the parameters, which live as long.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) };
    Errno::result(result).map(drop).map_err(failed("sched_setscheduler(BATCH)"))
}

/// Whatever is executed later, nobody gains privileges by it.
pub(super) fn gain_nothing() -> Act {
    prctl::set_no_new_privs().map_err(failed("prctl(NO_NEW_PRIVS)"))
}

/// No process of the same user may read our memory or attach to us.
pub(super) fn hide_memory() -> Act {
    prctl::set_dumpable(false).map_err(failed("prctl(DUMPABLE)"))
}

/// Memory that was writable is never executable, and nothing is both: what runs came from a file.
pub(super) fn refuse_new_code() -> Act {
    // SAFETY: the call takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_MDWE, libc::PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) };
    Errno::result(result).map(drop).map_err(failed("prctl(MDWE)"))
}

/// Neither has nor can gain a capability, in whatever namespace it is. The bounding set was dropped before.
pub(super) fn drop_capabilities() -> Act {
    // SAFETY: the call takes numbers only.
    let ambient = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    Errno::result(ambient).map_err(failed("prctl(CAP_AMBIENT_CLEAR_ALL)"))?;
    let header = Header { version: VERSION_3, pid: 0 };
    let none = [Set::default(); 2];
    // SAFETY: header and the two sets are what version 3 of the call reads.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    Errno::result(result).map(drop).map_err(failed("capset"))
}

/// What is executed later can't have any, whatever is written in its file. Only who has `CAP_SETPCAP` may drop it; who
/// has not gains nothing by the bounding set, for privileges can't be gained.
pub(super) fn drop_bounding_set() -> Act {
    for capability in 0..64 {
        // SAFETY: the call takes numbers only.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        match Errno::result(result) {
            Ok(_) => {}
            // There are no more of them, or we may not.
            Err(Errno::EINVAL | Errno::EPERM) => break,
            Err(errno) => return Err(failed("prctl(CAPBSET_DROP)")(errno)),
        }
    }
    Ok(())
}

/// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`.
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Set {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}
