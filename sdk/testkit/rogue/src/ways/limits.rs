//! Using up what is not memory, and lifting the limits.

use std::io::Write;
use std::sync::{Arc, Mutex};

use libc::{O_CREAT, O_RDONLY, O_WRONLY, RLIMIT_NOFILE, RLIMIT_NPROC};
use nix::errno::Errno;

use super::path;
use crate::Scene;
use crate::outcome::{Outcome, each};
use crate::raw::{HERE, at, call, fd, int, of, open, opens, owned, pid};

pub(crate) fn raise(_scene: &Scene<'_>) -> Outcome {
    let more: [u64; 2] = [1 << 20, 1 << 20];
    each([
        ("prlimit64", call(libc::SYS_prlimit64, [0, RLIMIT_NOFILE as usize, of(&more), 0])),
        ("setrlimit", call(libc::SYS_setrlimit, [RLIMIT_NPROC as usize, of(&more)])),
        ("prlimit64 of memory", call(libc::SYS_prlimit64, [0, libc::RLIMIT_AS as usize, of(&more), 0])),
    ])
}

pub(crate) fn of_host(scene: &Scene<'_>) -> Outcome {
    let (none, mut old): ([u64; 2], [u64; 2]) = ([0, 0], [0, 0]);
    let (host, files) = (pid(scene.outside.host_pid), RLIMIT_NOFILE as usize);
    each([
        ("setting", call(libc::SYS_prlimit64, [host, files, of(&none), 0])),
        ("reading", call(libc::SYS_prlimit64, [host, files, 0, old.as_mut_ptr() as usize])),
    ])
}

/// A group that bounds it is known by its files, to whoever can see them.
pub(crate) fn control_group(_scene: &Scene<'_>) -> Outcome {
    // `struct clone_args`: into the group of a descriptor.
    let into_group: [u64; 11] = [1 << 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    each([
        ("/sys/fs/cgroup", opens(c"/sys/fs/cgroup", O_RDONLY)),
        ("its members", opens(c"/sys/fs/cgroup/cgroup.procs", O_WRONLY)),
        ("a bound of version 1", opens(c"/sys/fs/cgroup/memory/memory.limit_in_bytes", O_WRONLY)),
        ("/proc/self/cgroup, to write", opens(c"/proc/self/cgroup", O_WRONLY)),
        ("/proc/self/oom_score_adj", opens(c"/proc/self/oom_score_adj", O_WRONLY)),
        ("the group of its init", opens(c"/proc/1/cgroup", O_RDONLY)),
        ("a group of its own", call(libc::SYS_mkdirat, [HERE, at(c"/sys/fs/cgroup/rogue"), 0o700])),
        ("clone3(CLONE_INTO_CGROUP)", call(libc::SYS_clone3, [of(&into_group), size_of_val(&into_group)])),
    ])
}

pub(crate) fn priority(_scene: &Scene<'_>) -> Outcome {
    let (real_time, one): (u32, u32) = (1, 1);
    each([
        ("setpriority", call(libc::SYS_setpriority, [0, 0, int(-20)])),
        ("sched_setscheduler", call(libc::SYS_sched_setscheduler, [0, real_time as usize, of(&one)])),
        ("sched_setattr", call(libc::SYS_sched_setattr, [0, of(&[48_u32; 14]), 0])),
        ("sched_setaffinity", call(libc::SYS_sched_setaffinity, [0, 8, of(&1_u64)])),
        ("ioprio_set", call(libc::SYS_ioprio_set, [1, 0, 1 << 13])),
    ])
}

pub(crate) fn descriptors(_scene: &Scene<'_>) -> Outcome {
    const MOST: usize = 1024;
    let mut held = Vec::new();
    let refused = loop {
        match call(libc::SYS_dup, [1]) {
            Ok(number) => held.push(owned(number)),
            Err(errno) => break errno,
        }
        if held.len() > MOST {
            return Outcome::Out(format!("{} descriptors", held.len()));
        }
    };
    Outcome::Bounded(format!("below {MOST}, then {refused:?}"))
}

/// Threads that wait for each other, until there are no more.
pub(crate) fn threads(_scene: &Scene<'_>) -> Outcome {
    const MOST: usize = 512;
    const STACK_BYTES: usize = 64 << 10;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let mut running = Vec::new();
    let mut refused = None;
    while running.len() <= MOST && refused.is_none() {
        let released = released.clone();
        let wait = move || {
            // The end of the channel lets them all go, one after the other.
            let _ = released.lock().map(|released| released.recv());
        };
        match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(wait) {
            Ok(thread) => running.push(thread),
            Err(error) => refused = Some(error.kind()),
        }
    }
    drop(release);
    let reached = running.len();
    running.into_iter().for_each(|thread| drop(thread.join()));
    match refused {
        Some(kind) => Outcome::Bounded(format!("below {MOST}, then {kind:?}")),
        None => Outcome::Out(format!("{reached} threads")),
    }
}

/// A file of one byte at a great distance takes no room, and is refused like one that does.
pub(crate) fn file_size(_scene: &Scene<'_>) -> Outcome {
    const MOST: usize = 16 << 30;
    // The signal that goes with the refusal would end the process.
    let ignore: [usize; 4] = [libc::SIG_IGN, 0, 0, 0];
    let ignored = call(libc::SYS_rt_sigaction, [int(libc::SIGXFSZ), of(&ignore), 0, 8]);
    let file = match ignored.and_then(|_| open(c"/dirs/state/large", O_CREAT | O_WRONLY)) {
        Ok(file) => file,
        Err(errno) => return Outcome::Out(format!("no file to begin with: {errno:?}")),
    };
    let outcome = each([
        ("ftruncate", call(libc::SYS_ftruncate, [fd(&file), MOST + 1])),
        ("fallocate", call(libc::SYS_fallocate, [fd(&file), 0, MOST, 1])),
        ("pwrite64", call(libc::SYS_pwrite64, [fd(&file), at(c"x"), 1, MOST])),
    ]);
    let _ = call(libc::SYS_unlinkat, [HERE, at(c"/dirs/state/large"), 0]);
    match outcome {
        Outcome::Refused(how) => Outcome::Bounded(format!("beyond 16 GiB {how}")),
        other => other,
    }
}

/// Nothing counts files: that is for the file system's quota.
pub(crate) fn many_files(_scene: &Scene<'_>) -> Outcome {
    const MANY: usize = 1000;
    let name = |number: usize| path(format!("/dirs/state/many-{number}"));
    let made = (0..MANY).map_while(|number| open(&name(number), O_CREAT | O_WRONLY).ok()).count();
    for number in 0..made {
        let _ = call(libc::SYS_unlinkat, [HERE, at(&name(number)), 0]);
    }
    if made == MANY {
        Outcome::Unbounded(format!("{made} files were made"))
    } else {
        Outcome::Bounded(format!("after {made} files"))
    }
}

/// Larger buffers than they come with are memory of the kernel's.
pub(crate) fn pipe_buffers(_scene: &Scene<'_>) -> Outcome {
    const SIZE: usize = 1 << 20;
    let larger = |option: i32, number| {
        let size = SIZE as i32;
        call(libc::SYS_setsockopt, [number, int(libc::SOL_SOCKET), int(option), of(&size), 4])
    };
    let mut ends = [0_i32; 2];
    let pair = call(libc::SYS_socketpair, [int(libc::AF_UNIX), int(libc::SOCK_STREAM), 0, ends.as_mut_ptr() as usize]);
    if let Err(errno) = pair {
        return Outcome::Out(format!("no pair of sockets to begin with: {errno:?}"));
    }
    let [one, other] = ends.map(|end| owned(int(end)));
    let outcome = each([
        ("F_SETPIPE_SZ", call(libc::SYS_fcntl, [1, int(libc::F_SETPIPE_SZ), SIZE])),
        ("SO_SNDBUF", larger(libc::SO_SNDBUF, fd(&one))),
        ("SO_RCVBUF", larger(libc::SO_RCVBUF, fd(&other))),
        ("vmsplice", call(libc::SYS_vmsplice, [1, 0, 0, 0])),
        ("splice", call(libc::SYS_splice, [0, 0, 1, 0, 1, 0])),
        ("tee", call(libc::SYS_tee, [0, 1, 1, 0])),
    ]);
    drop((one, other));
    outcome
}

/// The host reads it, keeps some and drops the rest, and goes on.
pub(crate) fn fill_output(_scene: &Scene<'_>) -> Outcome {
    const LINES: usize = 20_000;
    let line = [b'x'; 200];
    let mut out = std::io::stdout().lock();
    for _ in 0..LINES {
        if out.write_all(&line).and_then(|()| out.write_all(b"\n")).is_err() {
            return Outcome::Refused(format!("write {:?}", Errno::last()));
        }
    }
    Outcome::Bounded(format!("the host took {LINES} lines"))
}
