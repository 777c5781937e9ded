//! The peers of the HTTP server, each in a process of its own: a bare hyper server, and the same with the actor called on the
//! thread that reads the request, which is what a plug-in in the server's process would be. Both have one current-thread
//! runtime.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::load::BODY;
use crate::role::{Role, standard_input};
use crate::stage::{Cast, Stage};

pub(crate) const BARE: &str = "--http-bare";
pub(crate) const WITH_ACTOR: &str = "--http-with-actor";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _process: Role,
}

impl Server {
    /// Once it listens.
    pub(crate) fn start(role: &str) -> io::Result<Self> {
        let (_process, mut stream) = Role::connected(role)?;
        let mut port = [0; 2];
        stream.read_exact(&mut port)?;
        Ok(Self { address: (Ipv4Addr::LOCALHOST, u16::from_ne_bytes(port)).into(), _process })
    }
}

/// Answers without looking at the request.
pub(crate) fn serve_bare() -> io::Result<()> {
    serve(async |_request| Response::new(Full::new(Bytes::from_static(BODY))))
}

/// Asks the actor, with the codec that the contract has.
pub(crate) fn serve_with_actor() -> io::Result<()> {
    let stage = Rc::new(Stage::set(&[Cast { guest: "responder", claims: &["wasmcloud:httpserver"] }]));
    serve(move |request| {
        let stage = stage.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let header = head.headers.iter();
            let header =
                header.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
            let asked = Asked {
                method: head.method.as_str(),
                path: head.uri.path(),
                query_string: head.uri.query().unwrap_or_default(),
                header,
                body: serde_bytes::Bytes::new(&body),
            };
            let asked = rmp_serde::to_vec_named(&asked).expect("text and bytes always encode");
            let answer = stage.call(0, "HandleRequest", &asked);
            let Answer { status_code, body } = rmp_serde::from_slice(&answer).expect("an actor of ours answers well");
            let mut response = Response::new(Full::new(Bytes::from(body.into_vec())));
            *response.status_mut() = status_code.try_into().expect("an actor of ours answers well");
            response
        }
    })
}

#[derive(Serialize)]
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(rename = "queryString")]
    query_string: &'a str,
    header: HashMap<&'a str, std::borrow::Cow<'a, str>>,
    body: &'a serde_bytes::Bytes,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "statusCode")]
    status_code: u16,
    body: serde_bytes::ByteBuf,
}

/// Listens on any free port, says which, and serves until it is killed.
fn serve<F: Future<Output = Response<Full<Bytes>>> + 'static>(
    answer: impl Fn(Request<Incoming>) -> F + Clone + 'static,
) -> io::Result<()> {
    let mut parent = UnixStream::from(standard_input()?);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        parent.write_all(&listener.local_addr()?.port().to_ne_bytes())?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = answer.clone();
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| {
                    let response = answer(request);
                    async move { Ok::<_, Infallible>(response.await) }
                });
                // A client that is done just goes.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}
