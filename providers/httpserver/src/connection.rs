//! One connection: its handshake, the HTTP that it speaks, and how it ends.
//!
//! When its site drains, an idle connection closes at once, and one that serves requests closes once they are answered: HTTP/1.1
//! says so by `connection: close`, HTTP/2 by GOAWAY.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_provider::Level;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::exchange::{HEADERS_MAX, Means, respond};
use crate::site::{Phase, Place, Site, Terms, reached};
use crate::tls::{Protocol, Tls};
use crate::write_timeout::WriteTimeout;
use crate::{http2, opening};

/// The most bytes of a request's head.
pub(crate) const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// How long a connection may take to end once its site is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a connection has, until it has ended.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) site: Arc<Site>,
    pub(crate) terms: Arc<Terms>,
    place: Place,
}

impl Connection {
    pub(crate) fn new(site: Arc<Site>, place: Place) -> Self {
        let terms = site.terms();
        Self { site, terms, place }
    }

    pub(crate) async fn serve(self, stream: TcpStream) {
        // Without it small answers may wait for the client's acknowledgement; where it fails they just do.
        let _ = stream.set_nodelay(true);
        let terms = Arc::clone(&self.terms);
        let stream = WriteTimeout::new(stream, terms.settings.write_timeout);
        // Boxed: a plain connection takes no room for what it will never be.
        match &terms.tls {
            Some(tls) => Box::pin(self.secure(tls, stream)).await,
            None if terms.settings.h2c => Box::pin(self.look(stream)).await,
            None => self.http1(stream).await,
        }
    }

    /// Serves over TLS what both sides agree on.
    async fn secure(self, tls: &Tls, stream: WriteTimeout) {
        let mut phase = self.site.phases();
        let shaken = tokio::select! {
            biased;
            () = reached(&mut phase, Phase::Draining) => return,
            shaken = tls.handshake(stream) => shaken,
        };
        match shaken {
            Ok((Protocol::Http1, stream)) => self.http1(stream).await,
            Ok((Protocol::Http2, stream)) => http2::serve(self, stream).await,
            Err(error) => {
                let actor = &self.site.actor;
                self.site.host.log(Level::DEBUG, &format!("a TLS handshake of a client of {actor} failed: {error}"));
            }
        }
    }

    /// Serves without TLS what the client begins to speak.
    async fn look(self, stream: WriteTimeout) {
        let mut phase = self.site.phases();
        let opened = tokio::select! {
            biased;
            () = reached(&mut phase, Phase::Draining) => return,
            opened = opening::read(stream, self.terms.settings.header_timeout) => opened,
        };
        match opened {
            Some((Protocol::Http1, stream)) => self.http1(stream).await,
            Some((Protocol::Http2, stream)) => http2::serve(self, stream).await,
            None => {}
        }
    }

    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let means = self.means();
        let service =
            service_fn(|request| async move { Ok::<_, Infallible>(respond(means, request).await.map(Full::new)) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(means.settings.header_timeout)
            .max_headers(HEADERS_MAX)
            .max_header_size(HEAD_BYTES_MAX as usize)
            // What is read ahead of a connection whose request waits for others, too.
            .max_buf_size(HEAD_BYTES_MAX as usize)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut phase = self.site.phases();
        // How a connection ends is the client's business: hyper has answered what could be answered.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = reached(&mut phase, Phase::Draining) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = cut_off(&mut phase) => {}
        }
    }

    pub(crate) fn means(&self) -> Means<'_> {
        Means { site: &self.site, calls: self.place.event_loop().calls(), settings: &self.terms.settings }
    }
}

/// Waits until a connection has had all the time that its site gives it to end.
pub(crate) async fn cut_off(phase: &mut watch::Receiver<Phase>) {
    reached(phase, Phase::Closing).await;
    sleep(CLOSE_TIMEOUT).await;
}
