//! TLS of one link: its certificate and key, by the names of grants, and the handshakes of its connections.
//!
//! Keys never pass through link values, and nothing of a key or of what was found in its place is in an error or the log.

mod error;
mod pem;
mod validity;

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cofferdam_provider::{Access, Host, Level};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error as RustlsError, InconsistentKeys};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) use error::TlsError;

use crate::settings::{Settings, TlsNames};
use crate::write_timeout::WriteTimeout;

/// The link value that names the grant of the certificate.
pub(crate) const CERT: &str = "TLS_CERT";
/// The link value that names the grant of the key.
pub(crate) const KEY: &str = "TLS_KEY";
/// The name of HTTP/2 in a handshake.
const H2: &[u8] = b"h2";
/// The name of HTTP/1.1 in a handshake.
const HTTP1: &[u8] = b"http/1.1";
/// The longest file; the host's own limit on secrets.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// How the connections of a link are secured.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    handshakes: Arc<Semaphore>,
    within: Duration,
}

/// What the two sides agreed to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Tls {
    /// Reads certificate and key by their grants. A certificate that is out of date is served, with a warning: its clients
    /// will refuse it themselves, and a clock that is wrong here should not take the service away.
    pub(crate) fn load(host: Host, names: &TlsNames, settings: &Settings) -> Result<Self, TlsError> {
        let certificates = pem::certificates(&read(host, CERT, &names.cert)?)?;
        let key = pem::key(&read(host, KEY, &names.key)?)?;
        if let Some(warning) = certificates.first().and_then(|leaf| validity::warning(leaf, SystemTime::now())) {
            host.log(Level::WARN, &format!("the certificate that the link's {CERT} names {warning}"));
        }
        let crypto = Arc::new(default_provider());
        let signing = crypto.key_provider.load_private_key(key).map_err(|_| TlsError::BadKey)?;
        let certified = CertifiedKey::new(certificates, signing);
        match certified.keys_match() {
            // What a key can't tell of itself is no mismatch.
            Ok(()) | Err(RustlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(RustlsError::InconsistentKeys(_)) => return Err(TlsError::KeyOfAnother),
            Err(_) => return Err(TlsError::BadCertificate),
        }
        let config = ServerConfig::builder_with_provider(crypto).with_safe_default_protocol_versions();
        let config = config.map_err(TlsError::Unusable)?.with_no_client_auth();
        let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: Arc::new(Semaphore::new(settings.handshakes_max)),
            within: settings.handshake_timeout,
        })
    }

    /// Makes a stream a secured one, or says why not: the client's doing. A client takes one of the places for handshakes only
    /// once it has sent something, so that those that are silent cost nobody else one.
    pub(crate) async fn handshake(
        &self,
        stream: WriteTimeout,
    ) -> Result<(Protocol, TlsStream<WriteTimeout>), HandshakeError> {
        let shaken = async {
            stream.opened().await?;
            // It is closed never; if it were, nothing would be bounded.
            let _place = self.handshakes.acquire().await;
            self.acceptor.accept(stream).await
        };
        let stream = timeout(self.within, shaken).await.map_err(|_elapsed| HandshakeError::Late)??;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(H2) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((protocol, stream))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("within", &self.within).finish_non_exhaustive()
    }
}

/// Why a connection has no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("it took too long")]
    Late,
    #[error(transparent)]
    Failed(#[from] std::io::Error),
}

fn read(host: Host, value: &'static str, name: &str) -> Result<Vec<u8>, TlsError> {
    let file = host.open_file(name, Access::READ).map_err(|error| TlsError::Open { value, error })?;
    let mut bytes = Vec::new();
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| TlsError::Read { value, error })?;
    if bytes.len() as u64 > PEM_BYTES_MAX { Err(TlsError::TooLong { value }) } else { Ok(bytes) }
}
