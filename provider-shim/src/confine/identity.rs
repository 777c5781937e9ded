//! Becomes a user without any right. Started by root only; who starts as somebody else stays who it is.

use std::io;

use cofferdam_channel::protocol::control::Identity;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

use super::{Act, failed};

/// Changes to the user that the host chose, for good.
pub(super) fn become_nobody(identity: Identity) -> Act {
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    // Supplementary groups grant what the user id doesn't.
    setgroups(&[]).map_err(failed("setgroups([])"))?;
    setresgid(gid, gid, gid).map_err(failed("setresgid"))?;
    setresuid(uid, uid, uid).map_err(failed("setresuid"))?;
    // The change made our own /proc files root's; the id maps have to be written there in a moment.
    prctl::set_dumpable(true).map_err(failed("prctl(DUMPABLE)"))?;
    is_nobody()
}

/// A mapped uid 0 would still own the files of root.
pub(super) fn is_nobody() -> Act {
    if geteuid().is_root() {
        let source = io::Error::other("the host runs as root and named no other user");
        return Err(failed("checking the user")(source));
    }
    Ok(())
}
