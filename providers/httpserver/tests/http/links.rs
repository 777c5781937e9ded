//! Which link listens where, and what refuses a link.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};

use cofferdam_testkit::abi::Level;

use crate::support::{ACTOR, connect, get, read_response, server, status_of, talk};

/// An address that was free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn binding_again_keeps_or_moves_the_listener() {
    let (rig, address) = server(&[]);
    let mut kept = connect(address);
    kept.write_all(b"GET /status/200 HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    assert_eq!(status_of(&read_response(&mut kept)), 200);
    // The same address: the same listener, with other time-outs for what comes.
    rig.bind(ACTOR, &[("PORT", "0"), ("TIMEOUT_MS", "40")]).unwrap();
    assert_eq!(rig.listening().len(), 1);
    assert_eq!(status_of(&talk(address, &get("/hang"))), 504);
    kept.write_all(b"GET /status/200 HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    assert_eq!(status_of(&read_response(&mut kept)), 200);
    // Another one: the new listens, the old is closed when the bind returns.
    let moved = free_address();
    rig.bind(ACTOR, &[("BIND", &moved.to_string())]).unwrap();
    assert_eq!(status_of(&talk(moved, &get("/status/200"))), 200);
    assert!(TcpStream::connect(address).is_err());
    rig.unbind(ACTOR).unwrap();
    rig.unbind(ACTOR).unwrap();
    assert!(TcpStream::connect(moved).is_err());
    // The address is free for another link at once.
    rig.bind("MOTHER", &[("BIND", &moved.to_string())]).unwrap();
}

/// From loopback to every interface and back, on one port. When that is refused, what was there goes on.
#[test]
fn a_link_moves_between_one_interface_and_all() {
    let (rig, _) = server(&[]);
    rig.unbind(ACTOR).unwrap();
    let address = free_address();
    let everywhere = SocketAddr::from(([0; 4], address.port())).to_string();
    for bind in [&address.to_string(), &everywhere, &address.to_string()] {
        rig.bind(ACTOR, &[("BIND", bind)]).unwrap();
        assert_eq!(status_of(&talk(address, &get("/status/200"))), 200, "{bind}");
    }
    let _in_the_way = TcpListener::bind(("127.0.0.2", address.port())).unwrap();
    let refused = rig.bind(ACTOR, &[("BIND", &everywhere)]).unwrap_err();
    assert!(refused.words.contains("cannot be served: "), "{refused}");
    assert_eq!(status_of(&talk(address, &get("/status/200"))), 200);
}

#[test]
fn two_links_do_not_share_an_address() {
    let (rig, _) = server(&[]);
    let address = free_address();
    let port = address.port().to_string();
    rig.bind("MA", &[("PORT", &port)]).unwrap();
    let refused = rig.bind("MB", &[("BIND", &address.to_string())]).unwrap_err();
    let values = "by the link's values PORT and BIND";
    let expected = format!("{address} ({values}) is taken: the link of MA has it; give this one another PORT");
    assert_eq!(refused.words, expected);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let holder = TcpListener::bind(taken).unwrap();
    let refused = rig.bind("MB", &[("PORT", &taken.port().to_string())]).unwrap_err();
    assert!(refused.words.starts_with(&format!("{taken} ({values}) cannot be served: ")), "{refused}");
    assert!(refused.words.ends_with("; end what listens there, or give the link another PORT"), "{refused}");
    drop(holder);
    rig.unbind("MA").unwrap();
    rig.bind("MB", &[("PORT", &port)]).unwrap();
}

#[test]
fn wrong_values_are_refused() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("PORT", "http")], "the link value PORT is \"http\": it is a number from 0 to 65535"),
        (&[("PORT", "0"), ("TIMEOUT_MS", "0")], "the link value TIMEOUT_MS is \"0\": it is a number from 1 to 600000"),
        (
            &[("PORT", "0"), ("HEADER_TIMEOUT_MS", "600001")],
            "the link value HEADER_TIMEOUT_MS is \"600001\": it is a number from 1 to 600000",
        ),
        (
            &[("PORT", "0"), ("CONNECTIONS_MAX", "many")],
            "the link value CONNECTIONS_MAX is \"many\": it is a number from 1 to 65536",
        ),
        (
            &[("PORT", "0"), ("BODY_BYTES_MAX", "-1")],
            "the link value BODY_BYTES_MAX is \"-1\": it is a number from 1 to 4294967295",
        ),
    ];
    let (rig, _) = server(&[]);
    for (values, words) in cases {
        assert_eq!(rig.bind("MOTHER", values).unwrap_err().words, words);
    }
    rig.bind("MOTHER", &[("PORT", "0"), ("TIMEOUT_MS", "600000"), ("WORKERS", "2"), ("__wasmcloud_name", "x")])
        .unwrap();
    let warned = rig.log().into_iter().filter(|line| line.level == Level::WARN).map(|line| line.text);
    assert_eq!(warned.collect::<Vec<_>>(), ["the link value \"WORKERS\" of MOTHER means nothing here"]);
}

#[test]
fn actors_have_nothing_to_ask() {
    let (rig, _) = server(&[]);
    assert_eq!(rig.call(ACTOR, "HandleRequest", b"").unwrap_err().words, "unknown operation \"HandleRequest\"");
}
