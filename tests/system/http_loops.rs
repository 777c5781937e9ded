//! The HTTP server on several event loops, with a real host behind it: each loop has a queue of calls of its own there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use cofferdam_host::words::{EnvGrant, Grants};
use cofferdam_host::{NativeCapability, ProviderArchive, Tier};
use cofferdam_tests::process::until;
use cofferdam_tests::{Rig, artifacts, http};

const HTTP: &str = "wasmcloud:httpserver";

/// The server, on so many loops.
fn server(archive: &ProviderArchive, address: SocketAddr, loops: &str) -> NativeCapability {
    let env = vec![EnvGrant { name: "HTTP_LOOPS".to_owned(), value: Some(loops.to_owned()) }];
    let listen = vec![address.to_string().parse().expect("an address")];
    packed(archive).with_grants(Grants { env, listen, ..Grants::default() })
}

fn packed(archive: &ProviderArchive) -> NativeCapability {
    NativeCapability::from_archive(archive, None).expect("what was just signed verifies")
}

/// Asks for many statuses at once, and returns those that came, in their order.
fn pipelined(address: SocketAddr, statuses: &[u16]) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    let requests = statuses.iter().map(|status| format!("GET /status/{status} HTTP/1.1\r\nhost: h\r\n\r\n"));
    let last = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_owned();
    stream.write_all(requests.chain([last]).collect::<String>().as_bytes()).expect("it reads");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("it answers and closes");
    let heads = answers.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head[..3].parse().expect("a status")).collect()
}

/// How many threads of a process are loops.
fn loops_of(pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it is there").flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("http-loop")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_loops_serve_at_once() {
    const CONNECTIONS: u16 = 12;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let archive = artifacts::archive("httpserver", HTTP);
    let by_default = (processors / 2).clamp(1, 16);
    // The last are as many as a process may have queues of calls.
    for (tier, loops) in
        [(Tier::Lanes, None), (Tier::Lanes, Some("3")), (Tier::Socket, Some("3")), (Tier::Lanes, Some("16"))]
    {
        let rig = Rig::start_with(|builder| builder.with_tier(tier)).await;
        let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()));
        let actor = rig.actor("responder", &[HTTP]).await;
        let capability = match loops {
            Some(loops) => server(&archive, address, loops),
            None => packed(&archive),
        };
        let provider = rig.start_provider(capability).await;
        let port = address.port().to_string();
        rig.link(&actor, HTTP, &provider, &[("PORT", &port)]).await.expect("the provider accepts");
        let pid = rig.ready_pid(&provider, 1).await;
        let expected = loops.map_or(by_default, |loops| loops.parse().expect("a number"));
        // A thread gives itself its name.
        until("all loops", async || loops_of(pid) == expected).await;

        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|client| {
                tokio::task::spawn_blocking(move || {
                    // None twice in a row, and no two clients alike.
                    let statuses: Vec<_> = (0..20).map(|number| 300 + (client * 17 + number * 7) % 200).collect();
                    let mut answers = pipelined(address, &statuses);
                    assert_eq!(answers.pop(), Some(404), "client {client}");
                    assert_eq!(answers, statuses, "client {client}");
                })
            })
            .collect();
        for client in clients {
            client.await.expect("its answers are its own, in order");
        }
        rig.host.remove_link(&actor, HTTP, None).await.expect("there is one");
        until("the port is refused", async || TcpStream::connect(address).is_err()).await;
        rig.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_loops_that_is_none_is_refused() {
    let rig = Rig::start().await;
    let archive = artifacts::archive("httpserver", HTTP);
    let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()));
    let refused =
        rig.host.start_native_capability(server(&archive, address, "0")).await.expect_err("there is no such number");
    let words = "the variable HTTP_LOOPS is \"0\": it is a number from 1 to 16; mend the grant of it";
    assert!(refused.to_string().contains(words), "{refused}");
    rig.host.stop().await;
}
