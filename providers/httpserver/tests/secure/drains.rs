//! Drains: connections that ask for nothing close, those that serve requests end with them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use cofferdam_testkit::{ActorCall, Answer};

use crate::authority::Authority;
use crate::clients::{config, secured_of, shake};
use crate::frames::{DATA, GO_AWAY, HEADERS, Peer, RST_STREAM};
use crate::support::{PATIENCE, connect, eventually, read_to_end, respond, server_of};

/// An actor that answers once it is let.
fn gate() -> (Arc<AtomicBool>, mpsc::Receiver<()>, impl Fn(&ActorCall) -> Answer + Send + Sync + 'static) {
    let (sender, arrived) = mpsc::channel();
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let actor = move |_: &ActorCall| {
        sender.send(()).unwrap();
        while !gate.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        respond(200, &[], b"done")
    };
    (open, arrived, actor)
}

#[test]
fn http2_says_that_it_goes_and_ends_what_is_under_way() {
    let (open, arrived, actor) = gate();
    let (rig, address) = server_of(&[("H2C", "true")], actor);
    let (mut busy, mut idle) = (Peer::new(address, &[]), Peer::new(address, &[]));
    // Which HTTP it speaks is not known yet.
    let mut unknown = connect(address);
    unknown.write_all(b"PRI").unwrap();
    busy.get(1, "/");
    arrived.recv_timeout(PATIENCE).unwrap();
    std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| rig.shutdown(PATIENCE));
        assert_eq!(idle.next_of(GO_AWAY).map(|frame| frame.error()), Some(0));
        while idle.next().is_some() {}
        assert_eq!(read_to_end(&mut unknown), "");
        assert_eq!(busy.next_of(GO_AWAY).map(|frame| frame.error()), Some(0));
        assert!(!shutdown.is_finished());
        open.store(true, Ordering::Release);
        let mut body = Vec::new();
        while let Some(frame) = busy.next() {
            assert!(matches!(frame.kind, DATA | HEADERS | GO_AWAY | RST_STREAM) || frame.stream == 0);
            body.extend((frame.kind == DATA).then_some(frame.payload).into_iter().flatten());
        }
        assert_eq!(body, b"done");
        assert_eq!(shutdown.join().unwrap(), Ok(()));
    });
}

#[test]
fn handshakes_end_and_answers_over_tls_are_whole() {
    let authority = Authority::new();
    let (open, arrived, actor) = gate();
    let (rig, address) = secured_of(&authority.issue(), &[], actor);
    let mut busy = shake(address, config(&authority, &[])).unwrap();
    let mut idle = shake(address, config(&authority, &[])).unwrap();
    let mut shaking = connect(address);
    shaking.write_all(b"\x16\x03\x01").unwrap();
    busy.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    arrived.recv_timeout(PATIENCE).unwrap();
    std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| rig.shutdown(PATIENCE));
        eventually("the end of the listener", || TcpStream::connect(address).is_err());
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        assert_eq!(read_to_end(&mut shaking), "");
        assert!(!shutdown.is_finished());
        open.store(true, Ordering::Release);
        let mut answer = String::new();
        // It ends with TLS's own word for the end: nobody cut it off.
        busy.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\ndone"), "{answer}");
        assert_eq!(shutdown.join().unwrap(), Ok(()));
    });
}
