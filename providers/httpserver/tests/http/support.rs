//! A server whose actor does as the path says, and a client that speaks bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use cofferdam_testkit::abi::Status;
use cofferdam_testkit::{ActorCall, Answer, Refused, Rig, Settings};
use serde::{Deserialize, Serialize};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const ACTOR: &str = "MACTOR";
/// The host's payload limit in these tests.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

#[derive(Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(rename = "queryString")]
    pub(crate) query_string: String,
    pub(crate) header: std::collections::BTreeMap<String, String>,
    #[serde(with = "serde_bytes")]
    pub(crate) body: Vec<u8>,
}

#[derive(Serialize)]
struct Response<'a> {
    #[serde(rename = "statusCode")]
    status_code: u32,
    status: &'a str,
    header: std::collections::BTreeMap<&'a str, &'a str>,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
}

pub(crate) fn respond(status_code: u32, header: &[(&str, &str)], body: &[u8]) -> Answer {
    let header = header.iter().copied().collect();
    Ok(rmp_serde::to_vec_named(&Response { status_code, status: "whatever", header, body }).expect("it encodes"))
}

/// The actor: `/echo` tells what it was given, the rest misbehaves as named.
pub(crate) fn actor(call: &ActorCall) -> Answer {
    assert_eq!((call.actor.as_str(), call.operation.as_str()), (ACTOR, "HandleRequest"));
    let request: Request = rmp_serde::from_slice(&call.payload).expect("a request of the contract");
    let refuse = |status| Err(Refused::new(status, "secret internals"));
    match request.path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["echo"] => respond(200, &[], &told(&request)),
        ["body"] => respond(200, &[], &request.body),
        ["size"] => respond(200, &[], request.body.len().to_string().as_bytes()),
        ["status", code] => respond(code.parse().expect("a number"), &[], b"the body"),
        ["large"] => respond(200, &[], &vec![b'x'; PAYLOAD_BYTES_MAX - 100]),
        ["headers"] => {
            let header = [
                ("Connection", "close, X-Hop"),
                ("X-Hop", "1"),
                ("Content-Length", "7777"),
                ("Transfer-Encoding", "chunked"),
                ("X-Kept", "yes"),
                ("content-type", "text/x"),
            ];
            respond(200, &header, b"four")
        }
        ["badname"] => respond(200, &[("bad name", "x")], b""),
        ["split"] => respond(200, &[("x", "a\r\nSet-Cookie: b")], b""),
        ["garbage"] => Ok(b"\xc1 no response".to_vec()),
        ["empty"] => Ok(Vec::new()),
        ["failed"] => refuse(Status::FAILED),
        ["trapped"] => refuse(Status::PANICKED),
        ["denied"] => refuse(Status::DENIED),
        ["late"] => refuse(Status::LATE),
        ["unavailable"] => refuse(Status::UNAVAILABLE),
        ["invalid"] => refuse(Status::INVALID),
        ["internal"] => refuse(Status::INTERNAL),
        ["hang"] => {
            while !call.is_given_up() {
                std::thread::yield_now();
            }
            refuse(Status::CANCELLED)
        }
        other => respond(404, &[], format!("{other:?}").as_bytes()),
    }
}

fn told(request: &Request) -> Vec<u8> {
    let Request { method, path, query_string, header, body } = request;
    format!("{method} {path} ?{query_string} {header:?} {:?}", String::from_utf8_lossy(body)).into_bytes()
}

/// Waits for something that comes without an event of its own.
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < give_up, "{what} did not happen");
        std::thread::yield_now();
    }
}

/// A server with these link values besides a free port.
pub(crate) fn server(values: &[(&str, &str)]) -> (Rig, SocketAddr) {
    server_of(values, actor)
}

pub(crate) fn server_of(
    values: &[(&str, &str)],
    script: impl Fn(&ActorCall) -> Answer + Send + Sync + 'static,
) -> (Rig, SocketAddr) {
    let settings = Settings { payload_bytes_max: PAYLOAD_BYTES_MAX, ..Settings::default() };
    let rig = Rig::with(&crate::PROVIDER, settings, script).expect("the provider is made");
    rig.bind(ACTOR, &[values, &[("PORT", "0")]].concat()).expect("the link is accepted");
    let address = rig.listening()[0];
    (rig, address)
}

/// A connection that never waits for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Sends these bytes, reads until the server closes. Without the `date` lines.
pub(crate) fn talk(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request);
    read_to_end(&mut stream)
}

pub(crate) fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    without_date(&bytes)
}

/// Reads one response with a length, and no more.
pub(crate) fn read_response(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the rest of a head");
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let (_, rest) = head.split_once("content-length: ").expect("a length");
    let length = rest.lines().next().and_then(|length| length.parse().ok()).expect("a number");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("the body");
    without_date(&[bytes, body].concat())
}

fn without_date(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let kept = text.split_inclusive("\r\n").filter(|line| !line.starts_with("date: "));
    kept.collect()
}

/// `GET path`, closing.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").into_bytes()
}

/// The number in a status line; 0 when there is none.
pub(crate) fn status_of(response: &str) -> u16 {
    response.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}
