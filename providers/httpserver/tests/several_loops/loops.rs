//! Which loop serves what, and what there is when there can't be as many.

use std::io::Write;
use std::net::TcpStream;

use cofferdam_testkit::abi::Level;
use cofferdam_testkit::{Rig, Settings};

use crate::PROVIDER;
use crate::provider::LOOPS;
use crate::support::{
    ACTOR, actor, connect, eventually, get, read_response, respond, server, server_of, status_of, talk,
};

/// Served, so accepted and on its loop.
fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /status/200 HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    assert_eq!(status_of(&read_response(stream)), 200);
}

fn hang(stream: &mut TcpStream) {
    stream.write_all(b"GET /hang HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
}

/// Each goes to the loop with the fewest, the first of several, so six are on loops 0, 1, 2, 0, 1, 2; and stays there.
#[test]
fn connections_go_where_the_fewest_are() {
    // Those that go, those that ask at the end, and the calls by loop. As many come as went.
    let cases: [(&[usize], &[usize], [usize; LOOPS]); 5] = [
        (&[], &[0, 1, 2, 3, 4, 5], [2, 2, 2]),
        (&[], &[0, 3], [2, 0, 0]),
        (&[], &[4], [0, 1, 0]),
        (&[1, 4], &[0, 1, 2, 3, 4, 5], [2, 2, 2]),
        (&[1, 4], &[1, 4], [0, 2, 0]),
    ];
    for (gone, asking, calls) in cases {
        // Beyond the limit none is accepted: those that come wait until those that go have gone.
        let (rig, address) = server(&[("CONNECTIONS_MAX", "6"), ("TIMEOUT_MS", "600000")]);
        let mut streams: Vec<_> = (0..6).map(|_| connect(address)).collect();
        for _ in 0..3 {
            streams.iter_mut().for_each(ask);
        }
        for number in gone {
            streams[*number] = connect(address);
            ask(&mut streams[*number]);
        }
        for number in asking {
            hang(&mut streams[*number]);
        }
        eventually("all calls", || rig.actor_calls_in_flight() == asking.len());
        assert_eq!(rig.actor_calls_by_queue(), calls, "{gone:?} went, {asking:?} ask");
    }
}

/// Links share the loops: what one has open counts for the others.
#[test]
fn connections_of_all_links_are_counted() {
    let (rig, _) = server_of(&[("TIMEOUT_MS", "600000")], |call| {
        while !call.is_given_up() {
            std::thread::yield_now();
        }
        respond(200, &[], b"")
    });
    rig.bind("MOTHER", &[("PORT", "0"), ("TIMEOUT_MS", "600000")]).unwrap();
    let addresses = rig.listening();
    let mut streams = Vec::new();
    for (calls, link) in [0, 1, 0, 1, 1, 1].into_iter().enumerate() {
        let mut stream = connect(addresses[link]);
        hang(&mut stream);
        streams.push(stream);
        eventually("the call", || rig.actor_calls_in_flight() == calls + 1);
    }
    assert_eq!(rig.actor_calls_by_queue(), [2, 2, 2]);
}

#[test]
fn fewer_loops_where_the_host_has_fewer_queues() {
    let words = "making its queue of calls: the host has no further queue of calls; its log says why";
    let cases = [(1, Some("only 1 of 3 event loops")), (2, Some("only 2 of 3 event loops")), (3, None)];
    for (queues_max, warning) in cases {
        let settings = Settings { queues_max, ..Settings::default() };
        let rig = Rig::with(&PROVIDER, settings, actor).unwrap();
        rig.bind(ACTOR, &[("PORT", "0")]).unwrap();
        for _ in 0..2 * LOOPS {
            assert_eq!(status_of(&talk(rig.listening()[0], &get("/status/200"))), 200);
        }
        assert_eq!(rig.health(), Ok(()));
        let warned = rig.log().into_iter().filter(|line| line.level == Level::WARN).map(|line| line.text);
        assert_eq!(warned.collect::<Vec<_>>(), warning.map(|fewer| format!("{fewer}: {words}")).as_slice());
    }
    let refused = Rig::with(&PROVIDER, Settings { queues_max: 0, ..Settings::default() }, actor).err().unwrap();
    let takes = "which takes a thread, a few descriptors and a queue of calls";
    assert_eq!(refused.words, format!("no event loop can be started, {takes}: {words}"));
}
