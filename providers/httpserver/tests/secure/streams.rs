//! Requests over HTTP/2: what the actor is told, what the client gets, and who may speak it without TLS.

use std::io::Write;

use hyper::header::{CONTENT_LENGTH, COOKIE, HeaderValue};
use tokio::task::JoinSet;

use crate::clients::{block_on, http2, request, whole};
use crate::frames::{END_STREAM, PREFACE, Peer, get, headers};
use crate::support::{PAYLOAD_BYTES_MAX, connect, eventually, get as get_http1, read_to_end, server, status_of};

#[test]
fn many_requests_at_once() {
    let (rig, address) = server(&[("H2C", "true")]);
    block_on(async {
        let (sender, _) = http2(address, None).await;
        let mut answers = JoinSet::new();
        for number in 0..300_usize {
            let mut sender = sender.clone();
            answers.spawn(async move {
                let sent = format!("{number} ").repeat(number * 7);
                assert_eq!(whole(sender.send_request(request("POST", "/body", sent.clone())).await).await.1, sent);
            });
        }
        while let Some(answer) = answers.join_next().await {
            answer.unwrap();
        }
    });
    eventually("the end of all calls", || rig.actor_calls_in_flight() == 0);
}

#[test]
fn both_sides_are_told_everything() {
    let (_rig, address) = server(&[("H2C", "true")]);
    block_on(async {
        let (mut sender, _) = http2(address, None).await;
        let mut echo = request("PATCH", "/echo?a=%20", "hello");
        for cookie in ["c=1", "d=2"] {
            echo.headers_mut().append(COOKIE, HeaderValue::from_static(cookie));
        }
        let (_, told) = whole(sender.send_request(echo).await).await;
        let expected =
            r#"PATCH /echo ?a=%20 {"content-length": "5", "cookie": "c=1; d=2", "host": "localhost"} "hello""#;
        assert_eq!(told, expected);

        let cases = [
            ("GET", "/status/404", 404, Some("8"), 8),
            ("GET", "/status/204", 204, None, 0),
            ("GET", "/status/304", 304, None, 0),
            ("HEAD", "/status/200", 200, Some("8"), 0),
            ("GET", "/large", 200, Some("1048476"), PAYLOAD_BYTES_MAX - 100),
            ("GET", "/failed", 502, Some("12"), 12),
            ("GET", "/unavailable", 503, Some("20"), 20),
            ("GET", "/headers", 200, Some("4"), 4),
        ];
        for (method, path, status, length, bytes) in cases {
            let (parts, body) = whole(sender.send_request(request(method, path, "")).await).await;
            let found = parts.headers.get(CONTENT_LENGTH).map(|length| length.to_str().unwrap());
            assert_eq!((parts.status.as_u16(), found, body.len()), (status, length, bytes), "{method} {path}");
            assert!(!parts.headers.contains_key("connection") && !parts.headers.contains_key("x-hop"), "{path}");
        }
    });
}

/// Without TLS it takes the link's word, and then HTTP/1.1 is spoken there as well, however it comes in.
#[test]
fn prior_knowledge_takes_a_link_value() {
    let (_rig, address) = server(&[]);
    let mut stream = connect(address);
    stream.write_all(PREFACE).unwrap();
    let answer = read_to_end(&mut stream);
    assert!(answer.is_empty() || status_of(&answer) == 400, "{answer}");

    let (_rig, address) = server(&[("H2C", "true"), ("HEADER_TIMEOUT_MS", "2000")]);
    let post = b"POST /size HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx".to_vec();
    let nearly = b"PRI * HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_vec();
    for (request, expected) in [(get_http1("/status/200"), 200), (post, 200), (nearly, 404)] {
        for piece_bytes in [1, 5, request.len()] {
            let mut stream = connect(address);
            stream.set_nodelay(true).unwrap();
            request.chunks(piece_bytes).for_each(|piece| stream.write_all(piece).unwrap());
            let answer = read_to_end(&mut stream);
            assert_eq!(status_of(&answer), expected, "in pieces of {piece_bytes}: {answer}");
        }
    }
    let mut peer = Peer::new(address, &[]);
    peer.write(&headers(1, END_STREAM, &get("/status/200")));
    assert_eq!(peer.outcome(1), Ok("200".into()));
    for begun in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
        let mut stream = connect(address);
        stream.write_all(begun).unwrap();
        assert_eq!(read_to_end(&mut stream), "", "{begun:?}");
    }
}
