//! One request, one response: what the actor is told, what the client gets.

use std::io::{Read, Write};

use crate::support::{PAYLOAD_BYTES_MAX, connect, get, read_response, server, status_of, talk};
use cofferdam_testkit::abi::Level;

#[test]
fn every_way_to_fail_has_its_status() {
    let fixed = |line: &str, words: &str| {
        format!(
            "HTTP/1.1 {line}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{words}\n",
            words.len() + 1
        )
    };
    let unavailable = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n\
                       connection: close\r\ncontent-length: 20\r\n\r\nService Unavailable\n";
    let cases = [
        ("/failed", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/trapped", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/denied", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/garbage", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/empty", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/badname", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/split", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/status/199", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/status/600", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/status/101", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/status/65736", fixed("502 Bad Gateway", "Bad Gateway"), Some(Level::WARN)),
        ("/late", fixed("504 Gateway Timeout", "Gateway Timeout"), Some(Level::WARN)),
        ("/unavailable", unavailable.into(), Some(Level::WARN)),
        ("/invalid", fixed("500 Internal Server Error", "Internal Server Error"), Some(Level::ERROR)),
        ("/internal", fixed("500 Internal Server Error", "Internal Server Error"), Some(Level::ERROR)),
    ];
    let (rig, address) = server(&[]);
    for (path, expected, level) in cases {
        let before = rig.log().len();
        assert_eq!(talk(address, &get(path)), expected, "{path}");
        let logged: Vec<_> = rig.log()[before..].iter().map(|line| line.level).collect();
        assert_eq!(logged, Vec::from_iter(level), "{path}");
    }
}

#[test]
fn the_actor_is_told_everything() {
    let cases: [(&str, &str); 6] = [
        (
            "GET /echo?test=kthxbye&x=%20 HTTP/1.1\r\nhost: h\r\n",
            r#"GET /echo ?test=kthxbye&x=%20 {"connection": "close", "host": "h"} """#,
        ),
        ("GET /echo HTTP/1.1\r\nHOST: h\r\n", r#"GET /echo ? {"connection": "close", "host": "h"} """#),
        (
            "PATCH /echo HTTP/1.1\r\nhost: h\r\na: 1\r\nb: x\r\na: 2\r\ncookie: c=1\r\ncookie: d=2\r\n",
            r#"PATCH /echo ? {"a": "1, 2", "b": "x", "connection": "close", "cookie": "c=1; d=2", "host": "h"} """#,
        ),
        ("GET http://other/echo?a HTTP/1.1\r\nhost: h\r\n", r#"GET /echo ?a {"connection": "close", "host": "h"} """#),
        ("BREW /echo HTTP/1.1\r\nhost: h\r\n", r#"BREW /echo ? {"connection": "close", "host": "h"} """#),
        (
            "GET /echo HTTP/1.1\r\nhost: h\r\nx: \u{e9}\r\n",
            r#"GET /echo ? {"connection": "close", "host": "h", "x": "é"} """#,
        ),
    ];
    let (_rig, address) = server(&[]);
    for (head, expected) in cases {
        let response = talk(address, format!("{head}connection: close\r\n\r\n").as_bytes());
        assert_eq!(response.split_once("\r\n\r\n").map(|(_, body)| body), Some(expected), "{head}: {response}");
    }
    let posted = "POST /body HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    let chunked = "POST /body HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
                   2\r\nhe\r\n3\r\nllo\r\n0\r\ntrailer: x\r\n\r\n";
    for request in [posted, chunked] {
        assert!(talk(address, request.as_bytes()).ends_with("\r\n\r\nhello"), "{request}");
    }
}

#[test]
fn the_client_gets_what_the_actor_answers() {
    let (_rig, address) = server(&[]);
    let cases = [
        (get("/status/200"), "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\nthe body"),
        (get("/status/404"), "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 8\r\n\r\nthe body"),
        (get("/status/599"), "HTTP/1.1 599 <none>\r\nconnection: close\r\ncontent-length: 8\r\n\r\nthe body"),
        (get("/status/204"), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
        (get("/status/304"), "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n"),
        (
            b"HEAD /status/200 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_vec(),
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\n",
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(talk(address, &request), expected);
    }
    let headers = talk(address, &get("/headers"));
    let mut lines: Vec<_> = headers.lines().collect();
    lines.sort_unstable();
    let expected = [
        "",
        "HTTP/1.1 200 OK",
        "connection: close",
        "content-length: 4",
        "content-type: text/x",
        "four",
        "x-kept: yes",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn limits_on_both_sides() {
    let headers = |count: usize| {
        let mut head = "GET /status/200 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n".to_owned();
        (2..count).for_each(|number| head.push_str(&format!("x{number}: y\r\n")));
        (head + "\r\n").into_bytes()
    };
    let head_of = |bytes: usize| {
        let (start, end) = ("GET /status/200 HTTP/1.1\r\nhost: h\r\nconnection: close\r\nlong: ", "\r\n\r\n");
        [start, &"x".repeat(bytes - start.len() - end.len()), end].concat().into_bytes()
    };
    let body_of = |bytes: usize| {
        let head = format!("POST /size HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
        [head.as_bytes(), &vec![b'x'; bytes]].concat()
    };
    let chunked = |bytes: usize| {
        let head = "POST /size HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        [head.as_bytes(), format!("{bytes:x}\r\n").as_bytes(), &vec![b'x'; bytes], b"\r\n0\r\n\r\n"].concat()
    };
    let cases: [(&str, Vec<u8>, u16); 14] = [
        ("100 headers", headers(100), 200),
        ("101 headers", headers(101), 431),
        ("a head of 64 KiB less the line's end", head_of(64 * 1024 - 4), 200),
        ("a head of 64 KiB and a bit", head_of(64 * 1024 + 4), 431),
        ("a body at the link's limit", body_of(1000), 200),
        ("a body over it", body_of(1001), 413),
        ("a chunked body at the limit", chunked(1000), 200),
        ("a chunked body over it", chunked(1001), 413),
        ("CONNECT", b"CONNECT h:1 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_vec(), 405),
        ("no HTTP", b"hello\r\n\r\n".to_vec(), 400),
        ("two lengths", b"POST /size HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx".to_vec(), 400),
        ("a negative length", b"POST /size HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_vec(), 400),
        ("a bad chunk", b"POST /size HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(), 400),
        ("HTTP/1.0", b"GET /status/200 HTTP/1.0\r\n\r\n".to_vec(), 200),
    ];
    let (_rig, address) = server(&[("BODY_BYTES_MAX", "1000")]);
    for (name, request, expected) in cases {
        let response = talk(address, &request);
        assert_eq!(status_of(&response), expected, "{name}: {response}");
    }
}

/// A WebSocket is refused in words, and the connection goes on; other upgrades are ignored, as HTTP allows.
#[test]
fn upgrades() {
    let refused = "HTTP/1.1 501 Not Implemented\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 54\r\n\r\n\
                   Not Implemented: this server does not speak WebSocket\n";
    let cases = [
        ("upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n", 501),
        ("upgrade: h2c, WebSocket\r\nconnection: keep-alive, upgrade\r\n", 501),
        ("upgrade: websocket\r\nupgrade: h2c\r\nconnection: keep-alive\r\nconnection: upgrade\r\n", 501),
        // Without the second it means nothing to this hop.
        ("upgrade: websocket\r\n", 200),
        ("upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n", 200),
        ("upgrade: websockets\r\nconnection: upgrade\r\n", 200),
    ];
    let (rig, address) = server(&[]);
    let mut stream = connect(address);
    for (headers, expected) in cases {
        stream.write_all(format!("GET /status/200 HTTP/1.1\r\nhost: h\r\n{headers}\r\n").as_bytes()).unwrap();
        let response = read_response(&mut stream);
        assert_eq!(status_of(&response), expected, "{headers}: {response}");
        assert!(expected == 200 || response == refused, "{response}");
    }
    assert!(rig.log().iter().all(|line| line.level == Level::INFO), "a client's mistake is no line of the log");
}

/// Head and body together keep to the host's limit: what is beyond it is refused here, and is no error of a call.
#[test]
fn the_payload_limit_of_the_host_holds() {
    let (_rig, address) = server(&[]);
    let body_of = |bytes: usize| {
        let head = format!("POST /size HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
        [head.as_bytes(), &vec![b'x'; bytes]].concat()
    };
    let fits = |bytes: usize| match status_of(&talk(address, &body_of(bytes))) {
        200 => true,
        413 => false,
        other => panic!("{other} for a body of {bytes} bytes"),
    };
    let first_refused =
        (PAYLOAD_BYTES_MAX - 200..PAYLOAD_BYTES_MAX).collect::<Vec<_>>().partition_point(|bytes| fits(*bytes));
    assert!((1..200).contains(&first_refused), "{first_refused}");
}

/// A client that sends everything before it reads gets its 413, and no reset; one that asks first is not told to go on.
#[test]
fn a_body_too_long_is_refused_in_words() {
    let (_rig, address) = server(&[("BODY_BYTES_MAX", "1000")]);
    let bytes = 8 * PAYLOAD_BYTES_MAX;
    let body = vec![b'x'; bytes];
    let lengths =
        [format!("content-length: {bytes}\r\n\r\n"), format!("transfer-encoding: chunked\r\n\r\n{bytes:x}\r\n")];
    for (length, end) in lengths.iter().zip(["", "\r\n0\r\n\r\n"]) {
        let mut stream = connect(address);
        stream.write_all(format!("POST /size HTTP/1.1\r\nhost: h\r\n{length}").as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        stream.write_all(end.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert_eq!(status_of(&response), 413, "{response}");
    }
    let asks = format!("POST /size HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\n{}", lengths[0]);
    assert_eq!(status_of(&talk(address, asks.as_bytes())), 413);
}
