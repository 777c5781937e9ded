//! What a provider must not reach, in the host's network and file system: sockets that would notice.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// Sockets of this process.
pub struct Lures {
    /// Accepts TCP.
    pub tcp: TcpListener,
    /// Receives UDP.
    pub udp: UdpSocket,
    /// The name of the one with an abstract name.
    pub abstract_name: String,
    by_name: UnixDatagram,
    by_path: UnixDatagram,
}

impl Lures {
    /// Makes them; the one with a path in `folder`, where everybody may send to it.
    pub fn new(folder: &Path) -> Self {
        let abstract_name = format!("cofferdam-lure-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name).expect("a short name");
        // The address of a socket is short; its file may be moved anywhere.
        let short = std::env::temp_dir().join(&abstract_name);
        let path = folder.join("lure.sock");
        let lures = Self {
            tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"),
            udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"),
            by_name: UnixDatagram::bind_addr(&address).expect("a free name"),
            by_path: UnixDatagram::bind(&short).expect("a free path"),
            abstract_name,
        };
        fs::rename(short, &path).expect("it is on the same file system");
        fs::set_permissions(path, Permissions::from_mode(0o777)).expect("it is ours");
        lures.tcp.set_nonblocking(true).expect("a socket can be told not to block");
        lures.udp.set_nonblocking(true).expect("a socket can be told not to block");
        lures.by_name.set_nonblocking(true).expect("a socket can be told not to block");
        lures.by_path.set_nonblocking(true).expect("a socket can be told not to block");
        lures
    }

    /// Which of them somebody has reached.
    pub fn reached(&self) -> Vec<&'static str> {
        let mut byte = [0];
        let came = [
            ("tcp", self.tcp.accept().map(drop)),
            ("udp", self.udp.recv(&mut byte).map(drop)),
            ("abstract name", self.by_name.recv(&mut byte).map(drop)),
            ("path", self.by_path.recv(&mut byte).map(drop)),
        ];
        let reached = |came: &std::io::Result<()>| !matches!(came, Err(why) if why.kind() == ErrorKind::WouldBlock);
        came.iter().filter(|(_, came)| reached(came)).map(|(name, _)| *name).collect()
    }
}
