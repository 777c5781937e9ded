//! Why a request was not answered by the actor, and which response the client gets instead: a status and a few fixed
//! words, never anything of the actor or the host.

use bytes::Bytes;
use cofferdam_provider::{CallError, Level};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use thiserror::Error;

use crate::wire::AnswerError;

/// Why there is no answer of the actor. The texts are for the log.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("the server is draining")]
    Draining,
    #[error("CONNECT is for proxies")]
    Connect,
    #[error("there are no WebSockets here")]
    WebSocket,
    #[error("the head has too many headers, or does not fit into the host's payload limit")]
    HeadTooLong,
    #[error("the body is longer than {limit_bytes} bytes")]
    BodyTooLong { limit_bytes: usize },
    #[error("the body did not arrive in time")]
    BodyLate,
    #[error("the body broke off: {0}")]
    BodyBroken(String),
    #[error("all memory for bodies is taken")]
    Crowded,
    #[error("the call of the actor failed: {0}")]
    CallFailed(CallError),
    #[error("the actor's answer was refused: {0}")]
    BadAnswer(#[from] AnswerError),
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BodyBroken(_) => StatusCode::BAD_REQUEST,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            // Not 426, which asks for an upgrade: this client offers one, and there is nothing to upgrade to. RFC 9220, section 3,
            // asks for this status where a protocol of extended CONNECT is not supported.
            Self::WebSocket => StatusCode::NOT_IMPLEMENTED,
            Self::BodyLate => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Draining | Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadAnswer(_) => StatusCode::BAD_GATEWAY,
            Self::CallFailed(error) => match error {
                CallError::Failed(_) | CallError::Denied(_) => StatusCode::BAD_GATEWAY,
                CallError::Unavailable(_) | CallError::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
                CallError::Late(_) => StatusCode::GATEWAY_TIMEOUT,
                CallError::Invalid(_) | CallError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// How much the operator should care; clients' own mistakes are not worth a line.
    pub(crate) fn level(&self) -> Option<Level> {
        match self {
            Self::CallFailed(CallError::Invalid(_) | CallError::Internal(_)) => Some(Level::ERROR),
            Self::CallFailed(CallError::Cancelled) => None,
            Self::CallFailed(_) | Self::BadAnswer(_) | Self::Crowded => Some(Level::WARN),
            _ => None,
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let status = self.status();
        let more = if matches!(self, Self::WebSocket) { ": this server does not speak WebSocket" } else { "" };
        let words = format!("{}{more}\n", status.canonical_reason().unwrap_or("Error"));
        let mut response = Response::new(Bytes::from(words));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if matches!(self, Self::Connect) {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"));
        }
        if self.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Whether the client may still be sending a body that nobody wants, and should get to read its response.
    pub(crate) fn leaves_body(&self) -> bool {
        matches!(self, Self::BodyTooLong { .. } | Self::HeadTooLong | Self::Crowded)
    }

    /// Whether the connection can't go on: it drains, or the rest of a body is still on it.
    fn closes(&self) -> bool {
        !matches!(self, Self::CallFailed(_) | Self::BadAnswer(_) | Self::Connect | Self::WebSocket)
    }
}
