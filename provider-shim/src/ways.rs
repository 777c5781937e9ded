//! Both directions of calls, by the tier that host and shim have.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::lane::{self, LaneClient, LaneLoopClient, Region};
use cofferdam_channel::protocol::HostHello;
use cofferdam_channel::protocol::control::{LoadFault, Want};
use cofferdam_channel::socket::{self, ClientConfig, SocketClient, SocketLoopClient};
use cofferdam_channel::{Deadline, LoopClient, Server, ServerConfig, Service};

use crate::asks::Asks;
use crate::fault::ShimFault;
use crate::serve::host_gone;

/// How long the host may take to open a mailbox.
const MAILBOX_TIMEOUT: Duration = Duration::from_secs(10);

/// Both directions.
pub(crate) struct Ways {
    pub(crate) down: Way,
    pub(crate) up: Way,
}

/// One direction.
pub(crate) enum Way {
    Socket(UnixStream),
    Lanes(Region),
}

impl Ways {
    /// Maps the lanes, if there are any, and closes their descriptors.
    pub(crate) fn open(down: UnixStream, up: UnixStream, lanes: Option<[OwnedFd; 2]>) -> Result<Self, ShimFault> {
        let map = |memory| {
            Region::open(memory)
                .map(Way::Lanes)
                .map_err(|error| ShimFault::load(LoadFault::Shim, format!("mapping the lanes: {error}")))
        };
        match lanes {
            None => Ok(Self { down: Way::Socket(down), up: Way::Socket(up) }),
            Some([down, up]) => Ok(Self { down: map(down)?, up: map(up)? }),
        }
    }
}

impl Way {
    /// Answers calls that come this way.
    pub(crate) fn serve(self, service: Arc<dyn Service>, config: ServerConfig) -> io::Result<Server> {
        match self {
            Self::Socket(stream) => socket::serve(stream, service, config, Box::new(host_gone)),
            Self::Lanes(region) => lane::serve(Arc::new(region), service, config, Box::new(host_gone)),
        }
    }

    /// Makes calls this way. Mailboxes are asked of the host.
    pub(crate) fn client(self, rules: HostHello, asks: Arc<Asks>) -> Result<Arc<dyn LoopClient>, ShimFault> {
        let (in_flight_max, payload_bytes_max) = (rules.actor_calls_max as usize, rules.payload_bytes_max);
        match self {
            Self::Socket(stream) => {
                let config = ClientConfig { in_flight_max, payload_bytes_max };
                let client = SocketClient::new(stream, config, Box::new(host_gone));
                let client = client
                    .map_err(|error| ShimFault::load(LoadFault::Shim, format!("preparing the socket `up`: {error}")))?;
                Ok(Arc::new(SocketLoopClient::new(client)))
            }
            Self::Lanes(region) => {
                let client = LaneClient::new(Arc::new(region), in_flight_max, payload_bytes_max, Box::new(host_gone));
                let open = move |number| {
                    let granted = asks.ask(Want::Mailbox { number }, Deadline::after(MAILBOX_TIMEOUT));
                    granted.map_err(|(_, why)| io::Error::other(why))
                };
                Ok(Arc::new(LaneLoopClient::new(client, Box::new(open))))
            }
        }
    }
}
