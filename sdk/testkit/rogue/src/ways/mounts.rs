//! Changing what is mounted, and which namespaces it is in. Most of these end the process.

use crate::Scene;
use crate::outcome::{Outcome, each, survived};
use crate::raw::{HERE, at, call, int, of, pid};

pub(crate) fn mount(_scene: &Scene<'_>) -> Outcome {
    let arguments = [at(c"proc"), at(c"/dirs/state"), at(c"proc"), 0, 0];
    survived("mount", call(libc::SYS_mount, arguments))
}

pub(crate) fn unmount(_scene: &Scene<'_>) -> Outcome {
    survived("umount2", call(libc::SYS_umount2, [at(c"/proc"), int(libc::MNT_DETACH)]))
}

pub(crate) fn pivot_root(_scene: &Scene<'_>) -> Outcome {
    survived("pivot_root", call(libc::SYS_pivot_root, [at(c"."), at(c".")]))
}

pub(crate) fn chroot(_scene: &Scene<'_>) -> Outcome {
    survived("chroot", call(libc::SYS_chroot, [at(c"/dirs/state")]))
}

pub(crate) fn open_tree(_scene: &Scene<'_>) -> Outcome {
    survived("open_tree", call(libc::SYS_open_tree, [HERE, at(c"/"), libc::OPEN_TREE_CLONE as usize]))
}

pub(crate) fn move_mount(_scene: &Scene<'_>) -> Outcome {
    survived("move_mount", call(libc::SYS_move_mount, [HERE, at(c"/proc"), HERE, at(c"/dirs"), 0]))
}

pub(crate) fn fsopen(_scene: &Scene<'_>) -> Outcome {
    survived("fsopen", call(libc::SYS_fsopen, [at(c"tmpfs"), 0]))
}

pub(crate) fn fsmount(_scene: &Scene<'_>) -> Outcome {
    survived("fsmount", call(libc::SYS_fsmount, [0, 0, 0]))
}

pub(crate) fn mount_setattr(_scene: &Scene<'_>) -> Outcome {
    let writable: [u64; 4] = [0, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOEXEC, 0, 0];
    let arguments = [HERE, at(c"/"), libc::AT_RECURSIVE as usize, of(&writable), size_of_val(&writable)];
    survived("mount_setattr", call(libc::SYS_mount_setattr, arguments))
}

pub(crate) fn list(_scene: &Scene<'_>) -> Outcome {
    // Numbers of calls that came after the C library's.
    const STATMOUNT: libc::c_long = 457;
    const LISTMOUNT: libc::c_long = 458;
    const OPEN_TREE_ATTR: libc::c_long = 467;
    let root = [24_u64, u64::MAX, 0];
    each([
        ("statmount", call(STATMOUNT, [of(&root), 0, 0, 0])),
        ("listmount", call(LISTMOUNT, [of(&root), 0, 0, 0])),
        ("open_tree_attr", call(OPEN_TREE_ATTR, [HERE, at(c"/"), libc::OPEN_TREE_CLONE as usize, 0, 0])),
        ("fspick", call(libc::SYS_fspick, [HERE, at(c"/"), 0])),
        ("fsconfig", call(libc::SYS_fsconfig, [0, 0, 0, 0, 0])),
    ])
}

pub(crate) fn unshare(_scene: &Scene<'_>) -> Outcome {
    survived("unshare(CLONE_NEWUSER)", call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize]))
}

pub(crate) fn setns(scene: &Scene<'_>) -> Outcome {
    survived("setns", call(libc::SYS_setns, [pid(scene.outside.host_pid), 0]))
}
