//! One connection of HTTP/2: its limits, and the requests that it carries at once.
//!
//! What HTTP/1.1 bounds by having one request at a time is bounded here by `pace.rs`: a connection without requests ends as an
//! idle one does, and one that doesn't take its answers ends as one that is not read from. There is no server push, and
//! extended CONNECT (RFC 8441) is not offered.

mod pace;
mod pieces;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::{Connection, HEAD_BYTES_MAX, cut_off};
use crate::exchange::respond;
use crate::site::{Phase, reached};
use pace::{End, Pace};
use pieces::Pieces;

/// Requests at once; the number that RFC 9113, section 6.5.2, asks not to go below.
const STREAMS_MAX: u32 = 100;
/// Streams that a client opened and took back before they were looked at (CVE-2023-44487). It is h2's default, named here so
/// that no update changes it unseen.
const PENDING_RESETS_MAX: usize = 20;
/// Streams that were reset for the client's errors, in all. h2's default, too.
const LOCAL_RESETS_MAX: usize = 1024;
/// What a client may send of one body before it is read.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// What a client may send of all bodies before they are read.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What waits to be written, of each answer.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long a client that was told to go has to say that it heard, when there is nothing else to wait for.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves until the client goes, is idle or stalled for too long, or the site ends.
pub(crate) async fn serve<I>(connection: Connection, stream: I)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let own = Arc::new(connection);
    let settings = &own.terms.settings;
    let pace = Arc::new(Pace::new(settings.write_timeout));
    let service = {
        let (own, pace) = (Arc::clone(&own), Arc::clone(&pace));
        service_fn(move |request| answer(Arc::clone(&own), Arc::clone(&pace), request))
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut phase = own.site.phases();
    tokio::select! {
        _ = connection.as_mut() => return,
        () = reached(&mut phase, Phase::Draining) => {}
        end = pace.end(settings.header_timeout) => if end == End::Stalled { return },
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        _ = pace.end(GOODBYE) => {}
        () = cut_off(&mut phase) => {}
    }
}

async fn answer(
    own: Arc<Connection>,
    pace: Arc<Pace>,
    request: Request<Incoming>,
) -> Result<Response<Pieces>, Infallible> {
    let _under_way = pace.request();
    let is_head = request.method() == Method::HEAD;
    let (mut parts, mut body) = respond(own.means(), request).await.into_parts();
    if is_head {
        // hyper leaves it to us here: such an answer has the length and nothing of the body.
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        body = Bytes::new();
    }
    Ok(Response::from_parts(parts, Pieces::new(&pace, body)))
}
