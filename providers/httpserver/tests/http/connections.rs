//! Connections over time: keep-alive, slow clients, many at once, clients that go, and draining.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::support::{
    ACTOR, PATIENCE, actor, connect, eventually, get, read_response, read_to_end, respond, server, server_of,
    status_of, talk,
};

#[test]
fn kept_and_pipelined() {
    let (_rig, address) = server(&[]);
    let mut stream = connect(address);
    for number in 0..3 {
        let body = format!("request {number}");
        write!(stream, "POST /body HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        assert_eq!(read_response(&mut stream), format!("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{body}"));
    }
    // A failure of the actor does not cost the connection.
    stream.write_all(b"GET /failed HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    assert_eq!(status_of(&read_response(&mut stream)), 502);
    let two = b"GET /status/201 HTTP/1.1\r\nhost: h\r\n\r\nGET /status/202 HTTP/1.1\r\nhost: h\r\n\r\n";
    stream.write_all(two).unwrap();
    let answers = [read_response(&mut stream), read_response(&mut stream)];
    assert_eq!(answers.map(|answer| status_of(&answer)), [201, 202]);
}

/// However many requests are written at once, and however they are cut, the answers come whole and in order.
#[test]
fn pipelined_in_pieces() {
    const REQUESTS: usize = 50;
    let (_rig, address) = server(&[]);
    let body = |number: usize| format!("{number:02}").repeat(1 + number * 7 % 40);
    let requests = (0..REQUESTS).map(|number| {
        let body = body(number);
        format!("POST /body HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    let all = requests.collect::<String>();
    for piece_bytes in [1, 7, 1000, all.len()] {
        let mut stream = connect(address);
        let mut writes = stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| all.as_bytes().chunks(piece_bytes).for_each(|piece| writes.write_all(piece).unwrap()));
            for number in 0..REQUESTS {
                let body = body(number);
                let expected = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                assert_eq!(read_response(&mut stream), expected, "in pieces of {piece_bytes}");
            }
        });
    }
}

/// Who reads no answers is soon not asked for more requests either: what it wants to send stays with it, and what the
/// server holds for it is bounded. Once it reads, it is served.
#[test]
fn back_pressure_reaches_the_socket() {
    /// More than the kernel's buffers take of answers of a MiB, and next to nothing of what is asked for.
    const CALLS_MAX: usize = 64;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let (_rig, address) = server_of(&[("WRITE_TIMEOUT_MS", "600000")], move |call| {
        counted.fetch_add(1, Ordering::SeqCst);
        actor(call)
    });
    let mut stream = connect(address);
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let request = b"GET /large HTTP/1.1\r\nhost: h\r\n\r\n";
    let hundred = request.repeat(100);
    let mut sent_bytes = 0;
    let stuck = loop {
        // It goes on where the kernel took no more.
        match stream.write(&hundred[sent_bytes % hundred.len()..]) {
            Ok(written) => sent_bytes += written,
            Err(error) => break error,
        }
    };
    let asked = sent_bytes / request.len();
    assert_eq!(stuck.kind(), ErrorKind::WouldBlock, "{stuck}");
    let called = calls.load(Ordering::SeqCst);
    assert!(called <= CALLS_MAX && asked > 10 * CALLS_MAX, "{called} calls for {asked} requests");
    for _ in 0..2 * CALLS_MAX {
        assert_eq!(status_of(&read_response(&mut stream)), 200);
    }
    assert!(calls.load(Ordering::SeqCst) >= 2 * CALLS_MAX);
}

#[test]
fn slow_clients_are_cut_off() {
    let head = "POST /body HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\n";
    let cases: [(&str, (&str, &str), String, u16); 5] = [
        ("nothing is sent", ("HEADER_TIMEOUT_MS", "250"), String::new(), 0),
        ("half a head", ("HEADER_TIMEOUT_MS", "250"), "GET / HTTP/1.1\r\nhost:".into(), 0),
        ("half a body", ("BODY_TIMEOUT_MS", "250"), format!("{head}he"), 408),
        ("no body", ("BODY_TIMEOUT_MS", "250"), head.into(), 408),
        ("a kept connection idles", ("HEADER_TIMEOUT_MS", "250"), format!("{head}hello"), 200),
    ];
    for (name, value, request, expected) in cases {
        let (_rig, address) = server(&[value]);
        // It returns when the server closes.
        let response = talk(address, request.as_bytes());
        assert_eq!(status_of(&response), expected, "{name}: {response}");
    }
}

/// One byte at a time does not win more time.
#[test]
fn a_dribbled_head_is_cut_off() {
    let (_rig, address) = server(&[("HEADER_TIMEOUT_MS", "250")]);
    let mut stream = connect(address);
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let give_up = Instant::now() + PATIENCE;
    let cut_off = loop {
        let wrote = stream.write_all(b"x");
        let read = stream.read(&mut [0]);
        if wrote.is_err()
            || matches!(read, Ok(0))
            || read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        {
            break true;
        }
        if Instant::now() > give_up {
            break false;
        }
    };
    assert!(cut_off);
}

/// Who does not read its response loses it, and its place goes to the next.
#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    let (_rig, address) = server(&[("WRITE_TIMEOUT_MS", "50"), ("CONNECTIONS_MAX", "1")]);
    let mut stuck = connect(address);
    // More than the kernel's buffers take, in several responses.
    for _ in 0..16 {
        stuck.write_all(b"GET /large HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    }
    assert_eq!(status_of(&talk(address, &get("/status/200"))), 200);
}

#[test]
fn an_actor_that_hangs_costs_its_deadline() {
    let (rig, address) = server(&[("TIMEOUT_MS", "40")]);
    assert_eq!(status_of(&talk(address, &get("/hang"))), 504);
    assert_eq!(rig.actor_calls_in_flight(), 0);
}

#[test]
fn a_client_that_goes_takes_its_call_with_it() {
    let (rig, address) = server(&[("TIMEOUT_MS", "600000")]);
    let mut stream = connect(address);
    stream.write_all(b"GET /hang HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    eventually("the call", || rig.actor_calls_in_flight() == 1);
    drop(stream);
    eventually("the end of the call", || rig.actor_calls_in_flight() == 0);
}

#[test]
fn connections_beyond_the_limit_wait() {
    let (_rig, address) = server(&[("CONNECTIONS_MAX", "2")]);
    let mut first = connect(address);
    let mut second = connect(address);
    for stream in [&mut first, &mut second] {
        stream.write_all(b"GET /status/200 HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
        assert_eq!(status_of(&read_response(stream)), 200);
    }
    let mut third = connect(address);
    third.write_all(&get("/status/200")).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(third.read(&mut [0]).is_err(), "the third was served beside two others");
    drop(first);
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(status_of(&read_to_end(&mut third)), 200);
}

/// Binding again on the same address changes the limit, in both directions, with connections there.
#[test]
fn the_limit_on_connections_can_be_changed() {
    let (rig, address) = server(&[("CONNECTIONS_MAX", "1")]);
    let bind = |limit| rig.bind(ACTOR, &[("PORT", "0"), ("CONNECTIONS_MAX", limit)]).unwrap();
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /status/200 HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
        assert_eq!(status_of(&read_response(stream)), 200);
    };
    let mut kept: Vec<_> = (0..3).map(|_| connect(address)).collect();
    ask(&mut kept[0]);
    bind("3");
    kept.iter_mut().for_each(ask);
    bind("1");
    let mut waits = connect(address);
    waits.write_all(&get("/status/200")).unwrap();
    waits.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    for _ in 0..3 {
        assert!(waits.read(&mut [0]).is_err(), "it was served beside {} others", kept.len());
        kept.pop();
    }
    waits.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(status_of(&read_to_end(&mut waits)), 200);
}

#[test]
fn many_at_once() {
    let (rig, address) = server(&[]);
    std::thread::scope(|scope| {
        for client in 0..32 {
            scope.spawn(move || {
                let mut stream = connect(address);
                for number in 0..20 {
                    let body = format!("{client:02} {number:02}");
                    write!(stream, "POST /body HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\n{body}").unwrap();
                    assert_eq!(
                        read_response(&mut stream),
                        format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{body}")
                    );
                }
            });
        }
    });
    assert_eq!(rig.actor_calls_in_flight(), 0);
    assert_eq!(rig.health(), Ok(()));
}

#[test]
fn draining_ends_what_is_under_way() {
    let (sender, arrived) = mpsc::channel();
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let (rig, address) = server_of(&[], move |_| {
        sender.send(()).unwrap();
        while !gate.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        respond(200, &[], b"done")
    });
    let mut busy = connect(address);
    let mut idle = connect(address);
    let mut fresh = connect(address);
    busy.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    arrived.recv_timeout(PATIENCE).unwrap();
    // Accepted, as connections are in their order, once a later one has been served; this one is kept.
    idle.write_all(b"CONNECT h:1 HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    assert_eq!(status_of(&read_response(&mut idle)), 405);
    std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| rig.shutdown(PATIENCE));
        eventually("the end of the listener", || TcpStream::connect(address).is_err());
        // Those that ask for nothing are closed at once, whether they ever did or not.
        assert_eq!([read_to_end(&mut idle), read_to_end(&mut fresh)], ["", ""]);
        assert!(!shutdown.is_finished());
        // One more that is written behind the first is not read any more.
        busy.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
        open.store(true, Ordering::Release);
        let answer = read_to_end(&mut busy);
        assert_eq!(answer, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\ndone");
        assert_eq!(shutdown.join().unwrap(), Ok(()));
    });
    assert_eq!(rig.bind("MLATE", &[("PORT", "0")]).unwrap_err().words, "the provider is draining");
}

/// The bound of `shutdown` holds when an actor does not end.
#[test]
fn draining_is_bounded() {
    let (rig, address) = server(&[("TIMEOUT_MS", "600000")]);
    let mut stream = connect(address);
    stream.write_all(b"GET /hang HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    eventually("the call", || rig.actor_calls_in_flight() == 1);
    assert_eq!(rig.shutdown(Duration::from_millis(30)), Ok(()));
    drop(rig);
    assert_eq!(read_to_end(&mut stream), "");
}
