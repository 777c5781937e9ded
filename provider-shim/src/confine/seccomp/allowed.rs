//! What is let through, each with its reason.

use super::rules::{Where, Which};
use Where::{Bits, Is, IsNot};
use Which::{All, Any, OfThisProcess, OneOf, Pairs, Unaddressed, Without, Zero};

/// The calls with their rules. `network` adds what a library needs that opens its own sockets.
pub(super) fn rules(network: bool) -> impl Iterator<Item = (i64, &'static Which)> {
    let lists = [ALWAYS, MACHINE, if network { OWN_SOCKETS } else { PASSED_SOCKETS }];
    lists.into_iter().flatten().map(|(call, which)| (*call, which))
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
    (libc::SYS_openat, Any(&[&[Bits(2, CREATES, 0)], &[Bits(3, LENDS_IDENTITY, 0)]])),
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
    // Leaving a whiteout behind makes a device.
    (libc::SYS_renameat2, Without(4, libc::RENAME_WHITEOUT as u64)),
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
    // Memory. That writable memory never becomes code is another measure's. What the limit of memory does not count is
    // left out: shared memory of no file, and what grows like a stack. Huge pages are set aside for somebody else.
    (libc::SYS_mmap, Any(&[&[Bits(3, ANONYMOUS | UNCOUNTED, 0)], &[Bits(3, MAP_TYPE | UNCOUNTED, PRIVATE)]])),
    (libc::SYS_munmap, All),
    (libc::SYS_mprotect, All),
    (libc::SYS_mremap, All),
    (libc::SYS_madvise, All),
    (libc::SYS_msync, All),
    (libc::SYS_mincore, All),
    (libc::SYS_brk, All),
    (libc::SYS_membarrier, All),
    // Threads, and no processes. A thread that shares less than all has descriptors of its own, past their limit.
    (libc::SYS_clone, Any(&[&[Bits(0, THREAD | NAMESPACES, THREAD)]])),
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
    // But for a handle of the process at the other end, which is the host.
    (libc::SYS_getsockopt, Any(&[&[IsNot(1, libc::SOL_SOCKET as u64)], &[IsNot(2, PEER_PIDFD)]])),
    (libc::SYS_getsockname, All),
    (libc::SYS_getpeername, All),
    // No datagrams: one of such a pair can be sent to any socket that has a path, such as one in a granted directory.
    (
        libc::SYS_socketpair,
        Any(&[&[Is(0, UNIX), Bits(1, SOCK_TYPE, STREAM)], &[Is(0, UNIX), Bits(1, SOCK_TYPE, PACKETS)]]),
    ),
];

/// What older machines have in addition, for libraries that still call it.
#[cfg(target_arch = "x86_64")]
const MACHINE: List = &[
    (libc::SYS_arch_prctl, All),
    (libc::SYS_open, Any(&[&[Bits(1, CREATES, 0)], &[Bits(2, LENDS_IDENTITY, 0)]])),
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
    (libc::SYS_creat, Without(1, LENDS_IDENTITY)),
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
/// for `sendto`, and by `MSG_FASTOPEN`. None of them is let through. Nor is `sendmsg`: with it goes the last way to hand
/// descriptors to the host, whose threads would have to close them, and some take their time to be closed.
const PASSED_SOCKETS: List = &[
    (libc::SYS_accept, All),
    (libc::SYS_accept4, All),
    (libc::SYS_sendto, Unaddressed(REFUSED_FLAGS)),
    (libc::SYS_setsockopt, Pairs(1, 2, SOCKET_OPTIONS)),
];

/// For a library that was granted the network of the host: Landlock bounds its ports, of TCP only. So it gets no
/// protocol that does the same by another name, such as MPTCP.
const OWN_SOCKETS: List = &[
    (libc::SYS_accept, All),
    (libc::SYS_accept4, All),
    (
        libc::SYS_socket,
        Any(&[
            &[Is(0, UNIX), Is(2, 0)],
            &[Is(0, INET), Bits(1, SOCK_TYPE, STREAM), Is(2, 0)],
            &[Is(0, INET), Bits(1, SOCK_TYPE, STREAM), Is(2, TCP)],
            &[Is(0, INET), Bits(1, SOCK_TYPE, DATAGRAMS), Is(2, 0)],
            &[Is(0, INET), Bits(1, SOCK_TYPE, DATAGRAMS), Is(2, UDP)],
            &[Is(0, INET6), Bits(1, SOCK_TYPE, STREAM), Is(2, 0)],
            &[Is(0, INET6), Bits(1, SOCK_TYPE, STREAM), Is(2, TCP)],
            &[Is(0, INET6), Bits(1, SOCK_TYPE, DATAGRAMS), Is(2, 0)],
            &[Is(0, INET6), Bits(1, SOCK_TYPE, DATAGRAMS), Is(2, UDP)],
            // How the C library learns which addresses this machine has, before it looks up a name.
            &[Is(0, libc::AF_NETLINK as u64), Is(2, libc::NETLINK_ROUTE as u64)],
        ]),
    ),
    (libc::SYS_bind, All),
    (libc::SYS_listen, All),
    (libc::SYS_connect, All),
    // Landlock sees neither of these two open a connection.
    (libc::SYS_sendto, Without(3, REFUSED_FLAGS)),
    (libc::SYS_sendmsg, Without(2, REFUSED_FLAGS)),
    (libc::SYS_sendmmsg, Without(3, REFUSED_FLAGS)),
    (libc::SYS_recvmmsg, All),
    (libc::SYS_setsockopt, All),
];

const UNIX: u64 = libc::AF_UNIX as u64;
const INET: u64 = libc::AF_INET as u64;
const INET6: u64 = libc::AF_INET6 as u64;
const TCP: u64 = libc::IPPROTO_TCP as u64;
const UDP: u64 = libc::IPPROTO_UDP as u64;
const STREAM: u64 = libc::SOCK_STREAM as u64;
const DATAGRAMS: u64 = libc::SOCK_DGRAM as u64;
const PACKETS: u64 = libc::SOCK_SEQPACKET as u64;

/// `SOCK_TYPE_MASK` of the kernel: the rest of a socket's type are flags.
const SOCK_TYPE: u64 = 0xf;

/// `SO_PEERPIDFD` of `asm-generic/socket.h`.
const PEER_PIDFD: u64 = 77;

/// Connects while it sends; and, of UNIX sockets, urgent data, which nobody uses and which went wrong in the kernel.
const REFUSED_FLAGS: u64 = libc::MSG_FASTOPEN as u64 | libc::MSG_OOB as u64;

/// A file may come to be. Without these bits the mode says nothing, and may be anything.
const CREATES: u64 = libc::O_CREAT as u64 | (libc::O_TMPFILE & !libc::O_DIRECTORY) as u64;

/// A program that runs as whoever owns it: of a host's user, for whoever else reaches a granted directory.
const LENDS_IDENTITY: u64 = libc::S_ISUID as u64 | libc::S_ISGID as u64;

const ANONYMOUS: u64 = libc::MAP_ANONYMOUS as u64;
const PRIVATE: u64 = libc::MAP_PRIVATE as u64;
const MAP_TYPE: u64 = libc::MAP_TYPE as u64;
const UNCOUNTED: u64 = libc::MAP_GROWSDOWN as u64 | libc::MAP_HUGETLB as u64;

const THREAD: u64 =
    (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_FILES | libc::CLONE_FS) as u64;
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

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
