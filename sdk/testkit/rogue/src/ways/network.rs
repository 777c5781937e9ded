//! Reaching somebody over a network or a socket.

use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{AF_INET, AF_UNIX, MSG_FASTOPEN, MSG_NOSIGNAL, MSG_OOB, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
use nix::errno::Errno;

use crate::Scene;
use crate::outcome::{Outcome, each};
use crate::raw::{Tried, call, fd, int, of, owned};

/// Somewhere to send to: as many bytes of a `sockaddr` as matter.
struct Address(Vec<u8>);

impl Address {
    fn of_port(port: u16) -> Self {
        let mut bytes = (AF_INET as u16).to_ne_bytes().to_vec();
        bytes.extend(port.to_be_bytes());
        bytes.extend([127, 0, 0, 1]);
        bytes.extend([0; 8]);
        Self(bytes)
    }

    fn of_path(path: &str) -> Self {
        let mut bytes = (AF_UNIX as u16).to_ne_bytes().to_vec();
        bytes.extend(Path::new(path).as_os_str().as_bytes());
        bytes.push(0);
        Self(bytes)
    }

    fn abstract_name(name: &str) -> Self {
        let mut bytes = (AF_UNIX as u16).to_ne_bytes().to_vec();
        bytes.push(0);
        bytes.extend(name.as_bytes());
        Self(bytes)
    }

    fn at(&self) -> usize {
        self.0.as_ptr() as usize
    }
}

/// A message of one byte to an address.
struct Message<'a> {
    address: &'a Address,
    parts: [libc::iovec; 1],
}

impl<'a> Message<'a> {
    fn to(address: &'a Address) -> Self {
        let part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
        Self { address, parts: [part] }
    }

    /// As `struct mmsghdr` of 64 bits begins, and with it `struct msghdr`.
    fn header(&self) -> [usize; 8] {
        [self.address.at(), self.address.0.len(), self.parts.as_ptr() as usize, 1, 0, 0, 0, 0]
    }
}

/// All ways to send a byte to an address from a socket that is there.
fn sends(socket: usize, to: &Address, flags: i32) -> [(&'static str, Tried); 3] {
    let (message, flags) = (Message::to(to), int(flags | MSG_NOSIGNAL));
    let header = message.header();
    [
        ("sendto", call(libc::SYS_sendto, [socket, b"x".as_ptr() as usize, 1, flags, to.at(), to.0.len()])),
        ("sendmsg", call(libc::SYS_sendmsg, [socket, of(&header), flags])),
        ("sendmmsg", call(libc::SYS_sendmmsg, [socket, of(&header), 1, flags])),
    ]
}

/// A listener of the host's network, that listens no more.
fn former_listener<'a>(scene: &Scene<'a>) -> Result<&'a TcpListener, String> {
    if let Some(listener) = scene.listener.get() {
        return Ok(listener);
    }
    let asked = scene.host.listen(&scene.outside.listen_address);
    let listener = asked.map_err(|error| format!("no listener to begin with: {error:?}"))?;
    let shut = call(libc::SYS_shutdown, [fd(&listener), int(libc::SHUT_RD)]);
    shut.map_err(|errno| format!("a listener that can't be shut down: {errno:?}"))?;
    Ok(scene.listener.get_or_init(|| listener))
}

pub(crate) fn fast_open(scene: &Scene<'_>) -> Outcome {
    match former_listener(scene) {
        Ok(listener) => each(sends(fd(listener), &Address::of_port(scene.outside.tcp_port), MSG_FASTOPEN)),
        Err(why) => Outcome::Out(why),
    }
}

pub(crate) fn connect_listener(scene: &Scene<'_>) -> Outcome {
    let listener = match former_listener(scene) {
        Ok(listener) => listener,
        Err(why) => return Outcome::Out(why),
    };
    let address = Address::of_port(scene.outside.tcp_port);
    let connect = call(libc::SYS_connect, [fd(listener), address.at(), address.0.len()]);
    let [sendto, sendmsg, sendmmsg] = sends(fd(listener), &address, 0);
    each([("connect", connect), sendto, sendmsg, sendmmsg])
}

pub(crate) fn listen_elsewhere(scene: &Scene<'_>) -> Outcome {
    let listener = match former_listener(scene) {
        Ok(listener) => listener,
        Err(why) => return Outcome::Out(why),
    };
    let any = Address::of_port(0);
    each([
        ("bind", call(libc::SYS_bind, [fd(listener), any.at(), any.0.len()])),
        ("listen", call(libc::SYS_listen, [fd(listener), 1])),
    ])
}

/// A socket of a kind, if there is one, and what it can reach.
fn reach(domain: i32, kind: i32, protocol: i32, to: &Address) -> Tried {
    let socket = owned(call(libc::SYS_socket, [int(domain), int(kind), int(protocol)])?);
    let sent = sends(fd(&socket), to, 0).into_iter().any(|(_, sent)| sent.is_ok());
    let connected = call(libc::SYS_connect, [fd(&socket), to.at(), to.0.len()]);
    if sent { Ok(1) } else { connected }
}

pub(crate) fn connect_tcp(scene: &Scene<'_>) -> Outcome {
    each([("socket", reach(AF_INET, SOCK_STREAM, 0, &Address::of_port(scene.outside.tcp_port)))])
}

pub(crate) fn send_udp(scene: &Scene<'_>) -> Outcome {
    each([("socket", reach(AF_INET, SOCK_DGRAM, 0, &Address::of_port(scene.outside.udp_port)))])
}

/// The same destination by another name, and families that know no namespace.
pub(crate) fn other_protocols(scene: &Scene<'_>) -> Outcome {
    let to = Address::of_port(scene.outside.tcp_port);
    let socket = |domain, kind, protocol| call(libc::SYS_socket, [int(domain), int(kind), int(protocol)]);
    each([
        ("MPTCP", reach(AF_INET, SOCK_STREAM, libc::IPPROTO_MPTCP, &to)),
        ("SCTP", reach(AF_INET, SOCK_SEQPACKET, libc::IPPROTO_SCTP, &to)),
        ("raw", socket(AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
        ("packet", socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
        ("netlink of the firewall", socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)),
        ("virtual machine", socket(libc::AF_VSOCK, SOCK_STREAM, 0)),
        ("kernel crypto", socket(libc::AF_ALG, SOCK_SEQPACKET, 0)),
        ("Bluetooth", socket(libc::AF_BLUETOOTH, SOCK_STREAM, 0)),
    ])
}

/// By a socket of its own, and by one of a pair.
fn unix(address: &Address) -> Outcome {
    each([
        ("datagram socket", reach(AF_UNIX, SOCK_DGRAM, 0, address)),
        ("stream socket", reach(AF_UNIX, SOCK_STREAM, 0, address)),
        ("one of a pair of streams", from_pair(SOCK_STREAM, address, 0)),
        ("one of a pair of packets", from_pair(SOCK_SEQPACKET, address, 0)),
    ])
}

fn pair(kind: i32) -> Result<[usize; 2], Errno> {
    let mut ends = [0_i32; 2];
    call(libc::SYS_socketpair, [int(AF_UNIX), int(kind), 0, ends.as_mut_ptr() as usize])?;
    Ok([int(ends[0]), int(ends[1])])
}

fn from_pair(kind: i32, address: &Address, flags: i32) -> Tried {
    let [one, other] = pair(kind)?.map(owned);
    let mut errno = Errno::ENOSYS;
    for (_, sent) in sends(fd(&one), address, flags) {
        match sent {
            // A pair of packets takes no notice of an address: it has gone to the other end.
            Ok(_) if received(fd(&other)) => errno = Errno::EISCONN,
            Ok(answer) => return Ok(answer),
            Err(why) => errno = if errno == Errno::ENOSYS { why } else { errno },
        }
    }
    Err(errno)
}

fn received(socket: usize) -> bool {
    let mut byte = [0_u8; 1];
    call(libc::SYS_recvfrom, [socket, byte.as_mut_ptr() as usize, 1, int(libc::MSG_DONTWAIT), 0, 0]).is_ok()
}

pub(crate) fn connect_abstract(scene: &Scene<'_>) -> Outcome {
    unix(&Address::abstract_name(&scene.outside.abstract_name))
}

pub(crate) fn connect_path(scene: &Scene<'_>) -> Outcome {
    unix(&Address::of_path(&scene.outside.socket_path))
}

/// No socket can be made, but pairs can, and one of a pair of datagram sockets sends to whomever it is told.
pub(crate) fn datagram_pair(scene: &Scene<'_>) -> Outcome {
    let (path, name) =
        (Address::of_path(&scene.outside.socket_path), Address::abstract_name(&scene.outside.abstract_name));
    each([
        ("datagram pair, path", from_pair(SOCK_DGRAM, &path, 0)),
        ("datagram pair, abstract name", from_pair(SOCK_DGRAM, &name, 0)),
        // The kernel makes datagram sockets of these.
        ("raw pair, path", from_pair(libc::SOCK_RAW, &path, 0)),
        ("datagram pair that says it closes on exec, path", from_pair(SOCK_DGRAM | libc::SOCK_CLOEXEC, &path, 0)),
    ])
}

/// Urgent data of UNIX sockets has been a way into the kernel.
pub(crate) fn urgent_data(_scene: &Scene<'_>) -> Outcome {
    let [one, _other] = match pair(SOCK_STREAM) {
        Ok(ends) => ends.map(owned),
        Err(errno) => return Outcome::Out(format!("no pair of streams to begin with: {errno:?}")),
    };
    let flags = int(MSG_OOB | MSG_NOSIGNAL);
    each([("sendto", call(libc::SYS_sendto, [fd(&one), b"x".as_ptr() as usize, 1, flags, 0, 0]))])
}
