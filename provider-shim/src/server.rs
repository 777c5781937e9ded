//! Where calls of the host come: by the tier that both have.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use cofferdam_channel::Service;
use cofferdam_channel::lane::{LaneServer, Region};
use cofferdam_channel::socket::{ServerConfig, SocketServer};

use crate::serve::host_gone;

/// The answering end for calls of the host.
pub(crate) enum Server {
    Socket(Arc<SocketServer>),
    Lanes(Arc<LaneServer>),
}

impl Server {
    pub(crate) fn start(
        down: UnixStream,
        lanes: Option<Region>,
        service: Arc<dyn Service>,
        config: ServerConfig,
    ) -> io::Result<Self> {
        let Some(region) = lanes else {
            return SocketServer::start(down, service, config, Box::new(host_gone)).map(Self::Socket);
        };
        LaneServer::start(Arc::new(region), service, config, Box::new(host_gone)).map(Self::Lanes)
    }

    /// Takes no more calls.
    pub(crate) fn shut_down(&self) {
        match self {
            Self::Socket(server) => server.shut_down(),
            Self::Lanes(server) => server.shut_down(),
        }
    }

    /// How many calls run.
    pub(crate) fn running(&self) -> usize {
        match self {
            Self::Socket(server) => server.running(),
            Self::Lanes(server) => server.running(),
        }
    }
}
