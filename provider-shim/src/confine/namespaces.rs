//! Leaves the namespaces of the host.

use std::fs;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::{Act, failed};

/// Enters new ones, but for the network's. The pid namespace begins with the next child, which `begin` makes: beside that
/// child, what is left to be done here is done.
pub(super) fn enter<T>(begin: impl FnOnce() -> T) -> Act<T> {
    let (uid, gid) = (geteuid(), getegid());
    let flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(flags).map_err(failed("unshare(user, mount, pid, ipc, uts)"))?;
    let begun = begin();
    // The place of its control group among others is nothing to it. A kernel without control groups has no such namespace.
    let _ = unshare(CloneFlags::CLONE_NEWCGROUP);
    // The kernel takes a gid map of an unprivileged user only once setgroups is out of the question.
    fs::write("/proc/self/setgroups", "deny").map_err(failed("writing setgroups"))?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).map_err(failed("writing uid_map"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).map_err(failed("writing gid_map"))?;
    // Nothing that is mounted from now on reaches the host, and nothing of the host's comes here.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(failed("making all mounts private"))?;
    Ok(begun)
}

/// Enters a network that is empty.
pub(super) fn leave_network() -> Act {
    unshare(CloneFlags::CLONE_NEWNET).map_err(failed("unshare(net)"))
}
