//! What callers see that must not block.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::socket::{CompletingClient, Completions, pair, serve};
use cofferdam_channel::{CallFailure, Client};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::rig::{Ends, LONG, config, make, outgoing, script, socket_client};

fn ends(in_flight_max: usize) -> Ends<CompletingClient> {
    let (client, server) = pair().unwrap();
    let (script, began, release) = script();
    let server = serve(server, script, config(in_flight_max), Box::new(|_| {})).unwrap();
    let client = CompletingClient::new(socket_client(client, in_flight_max).0);
    Ends { client: Arc::new(client), server, began, release }
}

/// Waits for the descriptor, as an event loop does, and takes one completion.
fn next(completions: &Completions) -> (u64, Result<(), CallFailure>, Vec<u8>) {
    let mut descriptors = [PollFd::new(completions.fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut descriptors, PollTimeout::try_from(20_000).unwrap()).unwrap(), 1, "no completion came");
    let completed = completions.take_next().expect("a readable descriptor means a completion");
    (completed.token, completed.result, completed.bytes)
}

#[test]
fn completions_come_once_each_by_answer_deadline_and_cancel() {
    let rig = ends(8);
    let completions = rig.client.completions().unwrap();
    completions.start(1, &outgoing("Echo", b"one", LONG)).unwrap();
    assert_eq!(next(&completions), (1, Ok(()), b"one".to_vec()));

    completions.start(2, &outgoing("Hold", b"", Duration::from_millis(30))).unwrap();
    assert_eq!(next(&completions), (2, Err(CallFailure::Late { delivered: true }), Vec::new()));

    completions.start(3, &outgoing("Hold", b"", LONG)).unwrap();
    rig.began.recv_timeout(LONG).unwrap();
    rig.began.recv_timeout(LONG).unwrap();
    completions.cancel(3);
    completions.cancel(77);
    assert_eq!(next(&completions), (3, Err(CallFailure::Cancelled), Vec::new()));
    (0..2).for_each(|_| rig.release.send(()).unwrap());

    // Threads call beside it, while the reader of the mailboxes reads for them.
    assert_eq!(make(rig.client.blocking(), &outgoing("Echo", b"beside", LONG)).unwrap(), b"beside");
    assert!(completions.take_next().is_none());
    completions.start(4, &outgoing("Hold", b"", LONG)).unwrap();
    drop(completions);
    rig.release.send(()).unwrap();
    assert_eq!(make(rig.client.blocking(), &outgoing("Echo", b"after", LONG)).unwrap(), b"after");
}

#[test]
fn more_waiting_than_may_wait_is_refused_at_once() {
    let rig = ends(1);
    let completions = rig.client.completions().unwrap();
    for token in 0..17 {
        completions.start(token, &outgoing("Hold", b"", LONG)).unwrap();
    }
    assert_eq!(make(rig.client.blocking(), &outgoing("Echo", b"", LONG)), Err(CallFailure::Overloaded { limit: 1 }));
    assert_eq!(completions.start(99, &outgoing("Hold", b"", LONG)), Err(CallFailure::Overloaded { limit: 1 }));
    (0..17).for_each(|_| rig.release.send(()).unwrap());
    let mut tokens: Vec<u64> = (0..17).map(|_| next(&completions).0).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..17).collect::<Vec<_>>());
}

#[test]
fn closing_ends_those_that_wait_for_a_completion() {
    let rig = ends(1);
    let completions = rig.client.completions().unwrap();
    completions.start(1, &outgoing("Hold", b"", LONG)).unwrap();
    rig.began.recv_timeout(LONG).unwrap();
    completions.start(2, &outgoing("Hold", b"", LONG)).unwrap();
    rig.client.blocking().close("killed by SIGKILL");
    let closed = |delivered| Err(CallFailure::Closed { delivered, cause: "killed by SIGKILL".into() });
    let mut ended = [next(&completions), next(&completions)].map(|(token, result, _)| (token, result));
    ended.sort_by_key(|(token, _)| *token);
    assert_eq!(ended, [(1, closed(true)), (2, closed(false))]);
    rig.release.send(()).unwrap();
    rig.server.shut_down();
}
