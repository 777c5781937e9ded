//! Requests and responses of `wasmcloud:httpserver` as crate `wasmcloud-actor-http-server` 0.1.2 defines them, and how
//! they map to HTTP. An actor's response is checked here; nothing of it is trusted.

use std::collections::{BTreeMap, HashMap};

use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, Version};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes as BytesRef};
use thiserror::Error;

/// The one operation that actors serve.
pub(crate) const OPERATION: &str = "HandleRequest";

/// Why an actor's answer is no response: the actor's fault.
#[derive(Debug, Error)]
pub(crate) enum AnswerError {
    #[error("the answer is no response of the contract: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    #[error("the status code {0} is not from 200 to 599")]
    Status(u32),
    #[error("the response header {0:?} is not one of HTTP")]
    Header(String),
}

#[derive(Serialize)]
struct WireRequest<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(rename = "queryString")]
    query_string: &'a str,
    header: &'a BTreeMap<String, String>,
    body: &'a BytesRef,
}

#[derive(Deserialize)]
struct WireResponse {
    #[serde(rename = "statusCode")]
    status_code: u32,
    #[serde(default)]
    header: HashMap<String, String>,
    #[serde(default)]
    body: ByteBuf,
}

/// What an actor is told about a request, but for the body.
pub(crate) struct Head<'a> {
    parts: &'a Parts,
    header: BTreeMap<String, String>,
}

impl<'a> Head<'a> {
    pub(crate) fn new(parts: &'a Parts) -> Self {
        let mut header = joined(&parts.headers);
        // HTTP/2 has it apart; actors find it where HTTP/1.1 has it (RFC 9113, section 8.3.1).
        if let (Version::HTTP_2, Some(authority)) = (parts.version, parts.uri.authority()) {
            header.insert(HOST.as_str().to_owned(), authority.as_str().to_owned());
        }
        Self { parts, header }
    }

    /// The argument of the call.
    pub(crate) fn encode(&self, body: &[u8]) -> Vec<u8> {
        let request = WireRequest {
            method: self.parts.method.as_str(),
            path: self.parts.uri.path(),
            query_string: self.parts.uri.query().unwrap_or_default(),
            header: &self.header,
            body: BytesRef::new(body),
        };
        rmp_serde::to_vec_named(&request).expect("text and bytes always encode")
    }

    /// How many bytes of body fit into an argument of `payload_bytes_max`; `None` when not even the head does.
    pub(crate) fn body_room(&self, payload_bytes_max: u64) -> Option<usize> {
        /// A long body has three bytes more of length than the empty one.
        const LENGTH_BYTES: usize = 3;
        let payload_bytes_max = usize::try_from(payload_bytes_max).unwrap_or(usize::MAX);
        payload_bytes_max.checked_sub(self.encode(&[]).len() + LENGTH_BYTES)
    }
}

/// The contract has one value a name: several are joined as HTTP says, cookies by "; ".
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut header = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let separator = if name == hyper::header::COOKIE { "; " } else { ", " };
        header
            .entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push_str(separator);
                joined.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    header
}

/// From an actor's answer to a response. Framing is ours: hop-by-hop headers and lengths of the actor are dropped, and so
/// is a body where HTTP has none.
pub(crate) fn response(answer: &[u8]) -> Result<Response<Vec<u8>>, AnswerError> {
    let wire: WireResponse = rmp_serde::from_slice(answer)?;
    let status = u16::try_from(wire.status_code).ok().filter(|code| (200..600).contains(code));
    let status =
        status.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(AnswerError::Status(wire.status_code))?;
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let body = if bodiless { Vec::new() } else { wire.body.into_vec() };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let of_this_hop = named_in_connection(&wire.header);
    for (name, value) in wire.header {
        let name = HeaderName::try_from(&name).map_err(|_| AnswerError::Header(shown(&name)))?;
        let value = HeaderValue::try_from(value).map_err(|_| AnswerError::Header(shown(name.as_str())))?;
        if !is_framing(&name) && !of_this_hop.iter().any(|other| other == name.as_str()) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

fn named_in_connection(header: &HashMap<String, String>) -> Vec<String> {
    let connection = header.iter().filter(|(name, _)| name.eq_ignore_ascii_case(CONNECTION.as_str()));
    connection.flat_map(|(_, value)| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn is_framing(name: &HeaderName) -> bool {
    const HOP_BY_HOP: [&str; 8] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    name == CONTENT_LENGTH || HOP_BY_HOP.contains(&name.as_str())
}

fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}
