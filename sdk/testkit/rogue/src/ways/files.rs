//! Reading, writing and making files that are nobody's business.

use std::ffi::CStr;
use std::fs;

use libc::{O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_WRONLY};

use super::descriptors::{libc_path, own, sealed};
use super::{OWN, path};
use crate::Scene;
use crate::outcome::{Outcome, each, survived};
use crate::raw::{HERE, Tried, at, call, fd, int, open, open_at, opens};

/// Root in another space of users would still be root to this file.
pub(crate) fn roots_file(scene: &Scene<'_>) -> Outcome {
    let uid = call(libc::SYS_geteuid, []).and_then(|uid| if uid == 0 { Ok(0) } else { Err(nix::errno::Errno::EPERM) });
    each([("being root", uid), ("open", opens(&path(scene.outside.forbidden_path.as_str()), O_RDONLY))])
}

/// The host's holds passwords of registries, perhaps.
pub(crate) fn environment(_scene: &Scene<'_>) -> Outcome {
    let names: Vec<String> = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    if !names.is_empty() {
        return Outcome::Out(format!("the environment has {}", names.join(", ")));
    }
    match fs::read("/proc/self/environ") {
        Ok(bytes) if bytes.is_empty() => Outcome::Refused("it is empty".to_owned()),
        Ok(bytes) => Outcome::Out(format!("/proc/self/environ has {} bytes", bytes.len())),
        Err(error) => Outcome::Refused(format!("it is empty, and of the one it began with: {:?}", error.kind())),
    }
}

pub(crate) fn read_passwd(_scene: &Scene<'_>) -> Outcome {
    each([("open", opens(c"/etc/passwd", O_RDONLY)), ("look at", looks(c"/etc/passwd"))])
}

pub(crate) fn read_shadow(_scene: &Scene<'_>) -> Outcome {
    each([("open", opens(c"/etc/shadow", O_RDONLY)), ("look at", looks(c"/etc/shadow"))])
}

pub(crate) fn read_host_state(scene: &Scene<'_>) -> Outcome {
    let (folder, key) = (path(scene.outside.state_dir.as_str()), path(format!("{}/host.nk", scene.outside.state_dir)));
    each([("the folder", opens(&folder, O_RDONLY)), ("the key", opens(&key, O_RDONLY)), ("look at", looks(&key))])
}

pub(crate) fn read_homes(_scene: &Scene<'_>) -> Outcome {
    each([("/root", opens(c"/root", O_RDONLY)), ("/home", opens(c"/home", O_RDONLY))])
}

pub(crate) fn read_other_provider(scene: &Scene<'_>) -> Outcome {
    let other = path(scene.outside.other_dir.as_str());
    each([
        ("open", opens(&other, O_RDONLY)),
        ("look at", looks(&other)),
        ("from its own", opens(c"/dirs/state/..", O_RDONLY)),
    ])
}

pub(crate) fn list_root(_scene: &Scene<'_>) -> Outcome {
    each([("open", opens(c"/", O_RDONLY | O_DIRECTORY))])
}

fn looks(path: &CStr) -> Tried {
    let mut facts = [0_u64; 32];
    call(libc::SYS_newfstatat, [HERE, at(path), facts.as_mut_ptr() as usize, 0])
}

/// All ways to leave something at a place.
fn writes(folder: &str) -> [(&'static str, Tried); 4] {
    let name = path(format!("{folder}/rogue"));
    [
        ("create", opens(&name, O_CREAT | O_WRONLY)),
        ("make a directory", call(libc::SYS_mkdirat, [HERE, at(&name), 0o700])),
        ("link", call(libc::SYS_symlinkat, [at(c"/etc/passwd"), HERE, at(&name)])),
        ("create without a name", opens(&path(folder), libc::O_TMPFILE | O_RDWR)),
    ]
}

pub(crate) fn write_root(_scene: &Scene<'_>) -> Outcome {
    each(writes("/"))
}

pub(crate) fn write_temporary(_scene: &Scene<'_>) -> Outcome {
    each(writes("/tmp"))
}

pub(crate) fn write_beside_grants(_scene: &Scene<'_>) -> Outcome {
    each(writes("/dirs"))
}

pub(crate) fn write_libraries(_scene: &Scene<'_>) -> Outcome {
    let Ok(library) = libc_path() else { return Outcome::Out("the C library is nowhere".to_owned()) };
    let name = library.to_string_lossy().into_owned();
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let other = path(format!("{name}.rogue"));
    let more = [
        ("overwrite", opens(&library, O_WRONLY)),
        ("rename", call(libc::SYS_renameat2, [HERE, at(&library), HERE, at(&other), 0])),
        ("remove", call(libc::SYS_unlinkat, [HERE, at(&library), 0])),
    ];
    each(writes(folder).into_iter().chain(more))
}

pub(crate) fn write_kernel_settings(_scene: &Scene<'_>) -> Outcome {
    each([
        ("/proc/sys", opens(c"/proc/sys/kernel/core_pattern", O_WRONLY)),
        ("/proc/sysrq-trigger", opens(c"/proc/sysrq-trigger", O_WRONLY)),
        ("/proc/self/oom_score_adj", opens(c"/proc/self/oom_score_adj", O_WRONLY)),
        ("/proc/self/uid_map", opens(c"/proc/self/uid_map", O_WRONLY)),
        ("/sys", opens(c"/sys/kernel", O_RDONLY)),
    ])
}

pub(crate) fn open_device(_scene: &Scene<'_>) -> Outcome {
    let devices = [c"/dev", c"/dev/null", c"/dev/mem", c"/dev/kmsg", c"/dev/kvm", c"/dev/fuse", c"/dev/ptmx"];
    each(devices.map(|device| (device.to_string_lossy(), opens(device, O_RDONLY))))
}

fn makes(kind: u32, device: usize) -> Tried {
    call(libc::SYS_mknodat, [HERE, at(c"/dirs/state/node"), (kind | 0o600) as usize, device])
}

pub(crate) fn make_device(_scene: &Scene<'_>) -> Outcome {
    // The first disk, and /dev/mem.
    each([("block device", makes(libc::S_IFBLK, 8 << 8)), ("character device", makes(libc::S_IFCHR, 1 << 8 | 1))])
}

/// Something in its directory that whoever opens it would wait at.
pub(crate) fn make_pipe_or_socket(_scene: &Scene<'_>) -> Outcome {
    each([("pipe", makes(libc::S_IFIFO, 0)), ("socket", makes(libc::S_IFSOCK, 0))])
}

pub(crate) fn whiteout(_scene: &Scene<'_>) -> Outcome {
    let (one, other) = (c"/dirs/state/one", c"/dirs/state/other");
    if let Err(errno) = open(one, O_CREAT | O_WRONLY) {
        return Outcome::Out(format!("no file to begin with: {errno:?}"));
    }
    each([("renameat2", call(libc::SYS_renameat2, [HERE, at(one), HERE, at(other), libc::RENAME_WHITEOUT as usize]))])
}

/// A second name, in a place where the host gives files to users.
pub(crate) fn hard_link(_scene: &Scene<'_>) -> Outcome {
    let Ok(library) = libc_path() else { return Outcome::Out("the C library is nowhere".to_owned()) };
    let to = c"/dirs/state/link";
    let link = |from: &CStr, flags| call(libc::SYS_linkat, [HERE, at(from), HERE, at(to), int(flags)]);
    let mut ways =
        vec![("of a system's library", link(&library, 0)), ("of /proc/self/maps", link(c"/proc/self/maps", 0))];
    for number in sealed() {
        let own = path(format!("/proc/self/fd/{number}"));
        ways.push(("of its own library", link(&own, libc::AT_SYMLINK_FOLLOW)));
        let nameless = call(libc::SYS_linkat, [number, at(c""), HERE, at(to), int(libc::AT_EMPTY_PATH)]);
        ways.push(("of its own library, by descriptor", nameless));
    }
    each(ways)
}

/// Making one is allowed; following it leads nowhere, and the host follows none.
pub(crate) fn symbolic_link(scene: &Scene<'_>) -> Outcome {
    let dir = match own() {
        Ok(dir) => dir,
        Err(errno) => return Outcome::Out(format!("no directory to begin with: {errno:?}")),
    };
    let forbidden = path(scene.outside.state_dir.as_str());
    let link = |to: &CStr, name: &CStr| call(libc::SYS_symlinkat, [at(to), fd(&dir), at(name)]);
    for made in [link(c"/etc/shadow", c"to-shadow"), link(&forbidden, c"to-state"), link(c"/proc/1/root", c"to-init")] {
        if let Err(errno) = made {
            return Outcome::Out(format!("no link to begin with: {errno:?}"));
        }
    }
    let follow = |name: &CStr| open_at(fd(&dir), name, O_RDONLY, 0).map(|opened| fd(&opened));
    each([
        ("to /etc/shadow", follow(c"to-shadow")),
        ("to the host's state", follow(c"to-state")),
        ("to the root of its init", follow(c"to-init")),
    ])
}

/// A program that runs as whoever owns it, left in a directory that others may reach.
pub(crate) fn lend_identity(_scene: &Scene<'_>) -> Outcome {
    let name = c"/dirs/state/lent";
    let create = |mode| open_at(HERE, name, O_CREAT | O_WRONLY, mode).map(|opened| fd(&opened));
    each([
        ("created as set-user-id", create(0o4755)),
        ("created as set-group-id", create(0o2755)),
        ("creat", creat(name)),
        ("without a name", open_at(HERE, &path(OWN), libc::O_TMPFILE | O_RDWR, 0o4755).map(|opened| fd(&opened))),
        ("fchmodat", call(libc::SYS_fchmodat, [HERE, at(c"/dirs/state"), 0o4700])),
    ])
}

#[cfg(target_arch = "x86_64")]
fn creat(name: &CStr) -> Tried {
    call(libc::SYS_creat, [at(name), 0o4755])
}

#[cfg(not(target_arch = "x86_64"))]
fn creat(_name: &CStr) -> Tried {
    Err(nix::errno::Errno::ENOSYS)
}

/// So that nobody can look into it any more.
pub(crate) fn lock_own_directory(_scene: &Scene<'_>) -> Outcome {
    let dir = own().map_or(usize::MAX, |dir| fd(&dir));
    each([
        ("fchmodat", call(libc::SYS_fchmodat, [HERE, at(c"/dirs/state"), 0])),
        ("fchmod", call(libc::SYS_fchmod, [dir, 0])),
        ("removing it", call(libc::SYS_unlinkat, [HERE, at(c"/dirs/state"), int(libc::AT_REMOVEDIR)])),
        ("moving it", call(libc::SYS_renameat2, [HERE, at(c"/dirs/state"), HERE, at(c"/dirs/gone"), 0])),
    ])
}

pub(crate) fn give_away(_scene: &Scene<'_>) -> Outcome {
    let name = c"value";
    each([
        ("fchownat", call(libc::SYS_fchownat, [HERE, at(c"/dirs/state"), 0, 0, 0])),
        ("setxattr", call(libc::SYS_setxattr, [at(c"/dirs/state"), at(c"user.rogue"), at(name), 1, 0])),
    ])
}

pub(crate) fn file_handle(_scene: &Scene<'_>) -> Outcome {
    let (mut handle, mut mount) = ([128_u32; 40], 0_i32);
    let arguments = [HERE, at(c"/dirs/state"), handle.as_mut_ptr() as usize, (&raw mut mount) as usize, 0];
    each([("name_to_handle_at", call(libc::SYS_name_to_handle_at, arguments))])
}

pub(crate) fn open_by_handle(_scene: &Scene<'_>) -> Outcome {
    // Inode 2 is the root of most file systems.
    let handle: [u32; 4] = [8, 1, 2, 0];
    survived("open_by_handle_at", call(libc::SYS_open_by_handle_at, [HERE, handle.as_ptr() as usize, int(O_RDONLY)]))
}

pub(crate) fn watch_files(_scene: &Scene<'_>) -> Outcome {
    each([
        ("inotify_init1", call(libc::SYS_inotify_init1, [0])),
        ("fanotify_init", call(libc::SYS_fanotify_init, [0, 0])),
    ])
}
