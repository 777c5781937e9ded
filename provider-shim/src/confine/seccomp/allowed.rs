//! What is let through, each with its reason.

use std::collections::BTreeMap;

use seccompiler::{BackendError, SeccompRule};

use super::rules::{Which, rules as rules_for};
use Which::{All, OfThisProcess, OneOf, Pairs, Unaddressed, With, Without, Zero};

/// The rules by number. `network` adds what a library needs that opens its own sockets.
pub(super) fn rules(network: bool) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let lists = [ALWAYS, MACHINE, if network { OWN_SOCKETS } else { PASSED_SOCKETS }];
    lists.into_iter().flatten().map(|(call, which)| Ok((*call, rules_for(which)?))).collect()
}

type List = &'static [(i64, Which)];

const ALWAYS: List = &[
    // Reading and writing what is open.
    (libc::SYS_read, All),
    (libc::SYS_write, All),
    (libc::SYS_readv, All),
    (libc::SYS_writev, All),
    (libc::SYS_pread64, All),
    (libc::SYS_pwrite64, All),
    (libc::SYS_preadv, All),
    (libc::SYS_pwritev, All),
    (libc::SYS_lseek, All),
    (libc::SYS_close, All),
    (libc::SYS_close_range, All),
    (libc::SYS_dup, All),
    (libc::SYS_dup3, All),
    (libc::SYS_pipe2, All),
    (libc::SYS_copy_file_range, All),
    (libc::SYS_sendfile, All),
    // No owner and no signal of a descriptor: they would reach other processes.
    (libc::SYS_fcntl, OneOf(1, FCNTL)),
    // Of devices there are none; these are for sockets, pipes, and to see that standard output is no terminal.
    (libc::SYS_ioctl, OneOf(1, IOCTL)),
    // Files: the root and Landlock say which.
    (libc::SYS_openat, All),
    (libc::SYS_newfstatat, All),
    (libc::SYS_fstat, All),
    (libc::SYS_statx, All),
    (libc::SYS_fstatfs, All),
    (libc::SYS_statfs, All),
    (libc::SYS_faccessat, All),
    (libc::SYS_faccessat2, All),
    (libc::SYS_readlinkat, All),
    (libc::SYS_getdents64, All),
    (libc::SYS_getcwd, All),
    (libc::SYS_mkdirat, All),
    (libc::SYS_unlinkat, All),
    (libc::SYS_renameat2, All),
    (libc::SYS_linkat, All),
    (libc::SYS_symlinkat, All),
    (libc::SYS_utimensat, All),
    (libc::SYS_ftruncate, All),
    (libc::SYS_fallocate, All),
    (libc::SYS_fadvise64, All),
    (libc::SYS_fsync, All),
    (libc::SYS_fdatasync, All),
    (libc::SYS_sync_file_range, All),
    (libc::SYS_flock, All),
    // Memory. That writable memory never becomes code is another measure's.
    (libc::SYS_mmap, All),
    (libc::SYS_munmap, All),
    (libc::SYS_mprotect, All),
    (libc::SYS_mremap, All),
    (libc::SYS_madvise, All),
    (libc::SYS_msync, All),
    (libc::SYS_mincore, All),
    (libc::SYS_brk, All),
    (libc::SYS_membarrier, All),
    // Threads, and no processes.
    (libc::SYS_clone, With(0, libc::CLONE_THREAD as u64)),
    (libc::SYS_futex, All),
    (libc::SYS_set_robust_list, All),
    (libc::SYS_rseq, All),
    (libc::SYS_set_tid_address, All),
    (libc::SYS_gettid, All),
    (libc::SYS_getpid, All),
    (libc::SYS_sched_yield, All),
    (libc::SYS_sched_getaffinity, All),
    (libc::SYS_getcpu, All),
    (libc::SYS_exit, All),
    (libc::SYS_exit_group, All),
    // Signals, of this process only: `abort` sends itself one.
    (libc::SYS_tgkill, OfThisProcess),
    (libc::SYS_rt_sigaction, All),
    (libc::SYS_rt_sigprocmask, All),
    (libc::SYS_rt_sigreturn, All),
    (libc::SYS_sigaltstack, All),
    (libc::SYS_restart_syscall, All),
    // Waiting.
    (libc::SYS_ppoll, All),
    (libc::SYS_pselect6, All),
    (libc::SYS_epoll_create1, All),
    (libc::SYS_epoll_ctl, All),
    (libc::SYS_epoll_pwait, All),
    (libc::SYS_epoll_pwait2, All),
    (libc::SYS_eventfd2, All),
    (libc::SYS_timerfd_create, All),
    (libc::SYS_timerfd_settime, All),
    (libc::SYS_timerfd_gettime, All),
    (libc::SYS_nanosleep, All),
    (libc::SYS_clock_nanosleep, All),
    // Time and chance.
    (libc::SYS_clock_gettime, All),
    (libc::SYS_clock_getres, All),
    (libc::SYS_gettimeofday, All),
    (libc::SYS_getrandom, All),
    // Who and what one is.
    (libc::SYS_getuid, All),
    (libc::SYS_geteuid, All),
    (libc::SYS_getgid, All),
    (libc::SYS_getegid, All),
    (libc::SYS_uname, All),
    (libc::SYS_sysinfo, All),
    (libc::SYS_getrusage, All),
    // Reading one's limits, not setting them.
    (libc::SYS_prlimit64, Zero(&[0, 2])),
    // Names for threads and memory.
    (libc::SYS_prctl, OneOf(0, PRCTL)),
    // Sockets that one has.
    (libc::SYS_recvfrom, All),
    (libc::SYS_recvmsg, All),
    (libc::SYS_shutdown, All),
    (libc::SYS_getsockopt, All),
    (libc::SYS_getsockname, All),
    (libc::SYS_getpeername, All),
    (libc::SYS_socketpair, OneOf(0, &[libc::AF_UNIX as u64])),
];

/// What older machines have in addition, for libraries that still call it.
#[cfg(target_arch = "x86_64")]
const MACHINE: List = &[
    (libc::SYS_arch_prctl, All),
    (libc::SYS_open, All),
    (libc::SYS_stat, All),
    (libc::SYS_lstat, All),
    (libc::SYS_access, All),
    (libc::SYS_readlink, All),
    (libc::SYS_mkdir, All),
    (libc::SYS_rmdir, All),
    (libc::SYS_unlink, All),
    (libc::SYS_rename, All),
    (libc::SYS_renameat, All),
    (libc::SYS_link, All),
    (libc::SYS_symlink, All),
    (libc::SYS_creat, All),
    (libc::SYS_dup2, All),
    (libc::SYS_pipe, All),
    (libc::SYS_poll, All),
    (libc::SYS_select, All),
    (libc::SYS_epoll_create, All),
    (libc::SYS_epoll_wait, All),
    (libc::SYS_eventfd, All),
    (libc::SYS_time, All),
];

#[cfg(not(target_arch = "x86_64"))]
const MACHINE: List = &[];

/// A listener can be turned into a connection to anywhere in the network it was made in: by `connect`, by an address
/// for `sendto`, and by `MSG_FASTOPEN`. None of them is let through.
const PASSED_SOCKETS: List = &[
    (libc::SYS_accept4, All),
    (libc::SYS_sendto, Unaddressed(MSG_FASTOPEN)),
    (libc::SYS_sendmsg, Without(2, MSG_FASTOPEN)),
    (libc::SYS_setsockopt, Pairs(1, 2, SOCKET_OPTIONS)),
];

/// For a library that was granted the network of the host: Landlock bounds its ports.
const OWN_SOCKETS: List = &[
    (libc::SYS_accept4, All),
    (libc::SYS_socket, OneOf(0, &[libc::AF_UNIX as u64, libc::AF_INET as u64, libc::AF_INET6 as u64, NETLINK])),
    (libc::SYS_bind, All),
    (libc::SYS_listen, All),
    (libc::SYS_connect, All),
    // Landlock sees neither of these two open a connection.
    (libc::SYS_sendto, Without(3, MSG_FASTOPEN)),
    (libc::SYS_sendmsg, Without(2, MSG_FASTOPEN)),
    (libc::SYS_sendmmsg, Without(3, MSG_FASTOPEN)),
    (libc::SYS_recvmmsg, All),
    (libc::SYS_setsockopt, All),
];

/// How the C library learns which addresses this machine has, before it looks up a name.
const NETLINK: u64 = libc::AF_NETLINK as u64;

const MSG_FASTOPEN: u64 = libc::MSG_FASTOPEN as u64;

const FCNTL: &[u64] = &[
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_DUPFD_CLOEXEC as u64,
    // Locks of files.
    libc::F_GETLK as u64,
    libc::F_SETLK as u64,
    libc::F_SETLKW as u64,
    libc::F_OFD_GETLK as u64,
    libc::F_OFD_SETLK as u64,
    libc::F_OFD_SETLKW as u64,
    // What is sealed.
    libc::F_GET_SEALS as u64,
];

const IOCTL: &[u64] = &[libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::FIONCLEX, libc::TCGETS];

const PRCTL: &[u64] = &[libc::PR_SET_NAME as u64, libc::PR_GET_NAME as u64, libc::PR_SET_VMA as u64];

/// What a server sets on a connection it has accepted. None of them sends anything.
const SOCKET_OPTIONS: &[(u64, u64)] = &[
    (libc::IPPROTO_TCP as u64, libc::TCP_NODELAY as u64),
    (libc::IPPROTO_TCP as u64, libc::TCP_KEEPIDLE as u64),
    (libc::IPPROTO_TCP as u64, libc::TCP_KEEPINTVL as u64),
    (libc::IPPROTO_TCP as u64, libc::TCP_KEEPCNT as u64),
    (libc::IPPROTO_TCP as u64, libc::TCP_USER_TIMEOUT as u64),
    (libc::SOL_SOCKET as u64, libc::SO_KEEPALIVE as u64),
    (libc::SOL_SOCKET as u64, libc::SO_LINGER as u64),
    (libc::SOL_SOCKET as u64, libc::SO_RCVTIMEO as u64),
    (libc::SOL_SOCKET as u64, libc::SO_SNDTIMEO as u64),
];
