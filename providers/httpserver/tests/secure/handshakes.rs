//! Handshakes: what both sides agree on, and those that come to nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, pki_types::ServerName};

use crate::authority::Authority;
use crate::clients::{block_on, config, config_of, http2, request, secured, shake, whole};
use crate::support::{PATIENCE, connect, eventually, get, read_to_end, status_of};

/// The first bytes of a ClientHello: a record that goes on.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01";

#[test]
fn both_sides_agree_on_what_to_speak() {
    let authority = Authority::new();
    let (_rig, address) = secured(&authority.issue(), &[]);
    let versions = [&[&TLS12][..], &[&TLS13], &[&TLS13, &TLS12]];
    let offers: [(&[&str], &[u8]); 4] =
        [(&[], b""), (&["http/1.1"], b"http/1.1"), (&["h2"], b"h2"), (&["http/1.1", "h2"], b"h2")];
    for (versions, (offers, expected)) in versions.into_iter().flat_map(|version| offers.map(|offer| (version, offer)))
    {
        let config = config_of(&authority, offers, versions);
        let mut stream = shake(address, config.clone()).unwrap();
        assert_eq!(stream.conn.alpn_protocol().unwrap_or_default(), expected, "{offers:?}");
        if expected == b"h2" {
            let body = block_on(async {
                let (mut sender, _) = http2(address, Some(config)).await;
                whole(sender.send_request(request("POST", "/body", "hello")).await).await.1
            });
            assert_eq!(body, "hello");
        } else {
            stream.write_all(&get("/status/200")).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(status_of(&answer), 200, "{answer}");
        }
    }
}

#[test]
fn who_can_not_agree_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (_rig, address) = secured(&authority.issue(), &[]);
    let refused = |config| shake(address, config).err().unwrap().to_string();
    assert!(refused(config(&authority, &["h3"])).contains("NoApplicationProtocol"));
    assert!(refused(config(&other, &[])).contains("invalid peer certificate"));
    // An alert in clear, which is no HTTP.
    let mut plain = connect(address);
    plain.write_all(&get("/status/200")).unwrap();
    assert_eq!(status_of(&read_to_end(&mut plain)), 0);
    assert!(shake(address, config(&authority, &[])).is_ok());
}

#[test]
fn slow_handshakes_are_cut_off() {
    let (_rig, address) = secured(&Authority::new().issue(), &[("TLS_HANDSHAKE_TIMEOUT_MS", "250")]);
    for begun in [b"".as_slice(), b"\x16", HALF_A_HELLO] {
        let mut stream = connect(address);
        stream.write_all(begun).unwrap();
        assert_eq!(read_to_end(&mut stream), "", "{begun:?}");
    }
}

/// Those that are silent take no place; of those that shake hands, further ones wait.
#[test]
fn handshakes_at_once_are_bounded() {
    let authority = Authority::new();
    let values = [("TLS_HANDSHAKES_MAX", "1"), ("TLS_HANDSHAKE_TIMEOUT_MS", "600000")];
    let (_rig, address) = secured(&authority.issue(), &values);
    let _silent: Vec<TcpStream> = (0..3).map(|_| connect(address)).collect();
    let config = config(&authority, &[]);
    drop(shake(address, config.clone()).unwrap());

    let mut begun = connect(address);
    begun.write_all(HALF_A_HELLO).unwrap();
    let mut waits = connect(address);
    waits.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut session = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let first = session.complete_io(&mut waits).map_err(|error| error.kind());
    assert_eq!(first.err(), Some(std::io::ErrorKind::WouldBlock));
    assert!(session.is_handshaking());
    drop(begun);
    waits.set_read_timeout(Some(PATIENCE)).unwrap();
    eventually("the handshake", || {
        session.complete_io(&mut waits).unwrap();
        !session.is_handshaking()
    });
}
