//! Servers with TLS, and clients: `rustls` on a blocking socket for HTTP/1.1, hyper for HTTP/2.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use cofferdam_testkit::{ActorCall, Answer, Rig, Settings};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper::http::response::Parts;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ALL_VERSIONS, ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::authority::{Authority, Pair};
use crate::support::{ACTOR, PATIENCE, PAYLOAD_BYTES_MAX, actor, connect};

pub(crate) const TLS: [(&str, &str); 2] = [("TLS_CERT", "tls-cert"), ("TLS_KEY", "tls-key")];
pub(crate) type Secured = StreamOwned<ClientConnection, TcpStream>;

/// A server with these link values besides a free port and what [`TLS`] names.
pub(crate) fn secured(pair: &Pair, values: &[(&str, &str)]) -> (Rig, SocketAddr) {
    secured_of(pair, values, actor)
}

pub(crate) fn secured_of(
    pair: &Pair,
    values: &[(&str, &str)],
    script: impl Fn(&ActorCall) -> Answer + Send + Sync + 'static,
) -> (Rig, SocketAddr) {
    let settings = Settings { payload_bytes_max: PAYLOAD_BYTES_MAX, ..Settings::default() };
    let rig = Rig::with(&crate::PROVIDER, settings, script).unwrap();
    grant(&rig, pair);
    rig.bind(ACTOR, &[values, &TLS, &[("PORT", "0")]].concat()).unwrap();
    let address = rig.listening()[0];
    (rig, address)
}

pub(crate) fn grant(rig: &Rig, pair: &Pair) {
    rig.grant_file("tls-cert", pair.cert.as_bytes());
    rig.grant_file("tls-key", pair.key.as_bytes());
}

/// How a client shakes hands: whom it trusts, what it offers.
pub(crate) fn config(trusted: &Authority, offers: &[&str]) -> Arc<ClientConfig> {
    config_of(trusted, offers, ALL_VERSIONS)
}

pub(crate) fn config_of(
    trusted: &Authority,
    offers: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(trusted.roots()).with_no_client_auth();
    config.alpn_protocols = offers.iter().map(|offer| offer.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A connection whose handshake has ended well.
pub(crate) fn shake(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Secured> {
    let mut stream = connect(address);
    let mut session = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}

/// What runs the clients of HTTP/2.
pub(crate) fn block_on<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, what).await.expect("it ends") })
}

/// A client of HTTP/2: over TLS with a config, else by prior knowledge. Its other half ends when the connection does.
pub(crate) async fn http2(
    address: SocketAddr,
    config: Option<Arc<ClientConfig>>,
) -> (SendRequest<Full<Bytes>>, tokio::task::JoinHandle<hyper::Result<()>>) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    match config {
        None => speak(stream).await,
        Some(config) => {
            let name = ServerName::try_from("localhost").unwrap();
            speak(TlsConnector::from(config).connect(name, stream).await.unwrap()).await
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> (SendRequest<Full<Bytes>>, tokio::task::JoinHandle<hyper::Result<()>>) {
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = shaken.unwrap();
    (sender, tokio::spawn(connection))
}

pub(crate) fn request(method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(format!("http://localhost{path}"));
    request.body(Full::new(body.into())).unwrap()
}

/// The whole of a response.
pub(crate) async fn whole(response: hyper::Result<Response<hyper::body::Incoming>>) -> (Parts, String) {
    let (parts, body) = response.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts, String::from_utf8_lossy(&body).into_owned())
}
