//! The peer of many callers: gRPC over a UNIX socket, one unary method that echoes bytes. `tonic` on both sides, by hand and
//! without `protoc`: the message is the bytes themselves, which spares this peer the work of a schema.
//!
//! The callers share one connection, as gRPC means it.

use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Mutex, PoisonError};

use bytes::{Buf, BufMut, Bytes};
use hyper::body::Incoming;
use hyper::http::uri::PathAndQuery;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::role::{Role, standard_input};

pub(crate) const ROLE: &str = "--grpc";

const METHOD: &str = "/cofferdam.Echo/Echo";
const BYTES: &[u8] = &[7; 64];

pub(crate) struct Grpc {
    channel: Channel,
    _server: Role,
}

/// One of those who call at once.
pub(crate) struct Caller(tonic::client::Grpc<Channel>);

impl Grpc {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let (_server, stream) = Role::connected(ROLE).expect("a child process can be started");
        let channel = runtime.block_on(connect(stream)).expect("the server answers");
        Self { channel, _server }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller(tonic::client::Grpc::new(self.channel.clone()))
    }
}

impl Caller {
    pub(crate) async fn call(&mut self) {
        self.0.ready().await.expect("the connection lives");
        let (request, method) = (Request::new(Bytes::from_static(BYTES)), PathAndQuery::from_static(METHOD));
        let answer = self.0.unary(request, method, Plain).await.expect("the server answers");
        assert_eq!(answer.into_inner(), BYTES, "the echo comes back");
    }
}

async fn connect(stream: StdStream) -> Result<Channel, Box<dyn std::error::Error>> {
    stream.set_nonblocking(true)?;
    let stream = Mutex::new(Some(UnixStream::from_std(stream)?));
    let connector = tower::service_fn(move |_| {
        let once = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(once.map(TokioIo::new).ok_or_else(|| io::Error::other("the connection is used already")))
    });
    Ok(Endpoint::from_static("http://socket").connect_with_connector(connector).await?)
}

/// The server, until its connection ends.
pub(crate) fn serve() -> io::Result<()> {
    let stream = StdStream::from(standard_input()?);
    stream.set_nonblocking(true)?;
    Runtime::new()?.block_on(async {
        let stream = TokioIo::new(UnixStream::from_std(stream)?);
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        // A client that is done just goes.
        let _ = server.serve_connection(stream, service_fn(answer)).await;
        Ok(())
    })
}

async fn answer(request: hyper::Request<Incoming>) -> Result<hyper::Response<tonic::body::Body>, Infallible> {
    let echo = tower::service_fn(async |request: Request<Bytes>| Ok::<_, Status>(Response::new(request.into_inner())));
    Ok(tonic::server::Grpc::new(Plain).unary(echo, request).await)
}

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
