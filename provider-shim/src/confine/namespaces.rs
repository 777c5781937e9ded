//! Leaves the namespaces of the host.

use std::fs;

use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::Network;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::{Act, failed, keeps_the_network};

/// What [`enter`] takes.
pub(super) fn measures(network: &Network) -> Confinement {
    let always = Confinement::USER_NAMESPACE | Confinement::IPC_NAMESPACE | Confinement::UTS_NAMESPACE;
    if keeps_the_network(network) { always } else { always | Confinement::NETWORK_NAMESPACE }
}

/// Enters new ones. The pid namespace begins with the next child.
pub(super) fn enter(network: &Network) -> Act {
    let (uid, gid) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if !keeps_the_network(network) {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags).map_err(failed("unshare(user, mount, pid, ipc, uts, net)"))?;
    // The kernel takes a gid map of an unprivileged user only once setgroups is out of the question.
    fs::write("/proc/self/setgroups", "deny").map_err(failed("writing setgroups"))?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).map_err(failed("writing uid_map"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).map_err(failed("writing gid_map"))?;
    // Nothing that is mounted from now on reaches the host, and nothing of the host's comes here.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(failed("making all mounts private"))
}
