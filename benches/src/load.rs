//! Requests over HTTP, as many as come back: connections that are kept, each with one request at a time. One thread sends
//! and reads for all of them, and looks at nothing but the length of what comes, so that it costs little next to the server.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// What is asked for: the guest `responder` answers with so many bytes.
pub(crate) const PATH: &str = "/bytes/64";
pub(crate) const BODY: &[u8] = &[b'x'; 64];

const HEAD_BYTES_MAX: usize = 4096;

/// Connections to one server.
pub(crate) struct Load {
    runtime: Runtime,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    request: String,
    /// Of every response: they are alike.
    response: Vec<u8>,
}

impl Load {
    pub(crate) fn open(address: SocketAddr, connections: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connections = runtime.block_on(async {
            let mut opened = Vec::new();
            for _ in 0..connections {
                opened.push(Connection::open(address).await?);
            }
            io::Result::Ok(opened)
        })?;
        Ok(Self { runtime, connections })
    }

    /// Responses a second, for a while.
    pub(crate) fn round(&mut self, time: Duration) -> io::Result<f64> {
        let began = Instant::now();
        let responses = self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for connection in self.connections.drain(..) {
                tasks.spawn(connection.run(began + time));
            }
            let mut responses = 0_u32;
            while let Some(ended) = tasks.join_next().await {
                let (connection, count) = ended.map_err(io::Error::other)??;
                self.connections.push(connection);
                responses += count;
            }
            io::Result::Ok(responses)
        })?;
        Ok(f64::from(responses) / began.elapsed().as_secs_f64())
    }
}

impl Connection {
    /// Makes the first request, whose response says how long all are.
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!("GET {PATH} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        while !response.ends_with(BODY) {
            if stream.read_buf(&mut response).await? == 0 || response.len() > HEAD_BYTES_MAX {
                let said = String::from_utf8_lossy(&response).into_owned();
                return Err(io::Error::other(format!("this is not what was asked for: {said:?}")));
            }
        }
        Ok(Self { stream, request, response })
    }

    async fn run(mut self, until: Instant) -> io::Result<(Self, u32)> {
        let mut responses = 0;
        while Instant::now() < until {
            self.stream.write_all(self.request.as_bytes()).await?;
            self.stream.read_exact(&mut self.response).await?;
            if !self.response.ends_with(BODY) {
                return Err(io::Error::other("a response was unlike the first"));
            }
            responses += 1;
        }
        Ok((self, responses))
    }
}
