//! `kill -9` of a provider under load: it costs the calls in flight a typed error and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_tests::process::{Held, alone, lives, signal, until};
use cofferdam_tests::{Rig, http, payload};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::runtime::Handle;

const PATH: &str = "/recovery";

/// The counter behind the HTTP server, with its value on disk.
struct Counter {
    rig: Rig,
    actor: String,
    web: String,
    store: String,
    url: String,
}

impl Counter {
    async fn start() -> Self {
        let restart = RestartPolicy {
            first_delay: Duration::from_millis(1),
            delay_max: Duration::from_millis(10),
            healthy_after: Duration::from_secs(30),
            budget: RestartBudget::None,
            ..RestartPolicy::default()
        };
        let rig = Rig::start_with(|builder| builder.with_restart_policy(restart)).await;
        let actor = rig.actor("kvcounter", &["wasmcloud:httpserver", "wasmcloud:keyvalue"]).await;
        let web = rig.provider("httpserver", "wasmcloud:httpserver").await;
        let store = rig.provider("keyvalue", "wasmcloud:keyvalue").await;
        let port = http::free_port().to_string();
        rig.link(&actor, "wasmcloud:keyvalue", &store, &[]).await.expect("the store accepts");
        rig.link(&actor, "wasmcloud:httpserver", &web, &[("PORT", &port)]).await.expect("the server accepts");
        Self { rig, actor, web, store, url: format!("http://127.0.0.1:{port}{PATH}") }
    }

    /// The next number, over HTTP.
    async fn next(&self) -> u64 {
        let (status, body) = http::get_async(self.url.clone()).await.expect("the server answers");
        assert_eq!(status, 200, "{body}");
        number(&body)
    }

    /// Clients that count as fast as they can until they are told to stop: two over HTTP, two through the host.
    fn load(&self) -> Load {
        let shared = Arc::new(Shared::default());
        let over_http = |_| {
            let (shared, url) = (shared.clone(), self.url.clone());
            let next = move || match http::get(&url) {
                Ok((200, body)) => Ok(number(&body)),
                Ok((status, body)) => Err(format!("{status} {}", body.trim())),
                Err(error) => Err(error.to_string()),
            };
            std::thread::spawn(move || shared.count(next))
        };
        let through_the_host = |_| {
            let (shared, host, actor, runtime) =
                (shared.clone(), self.rig.host.clone(), self.actor.clone(), Handle::current());
            let next = move || {
                let answer = runtime.block_on(host.call_actor(&actor, "HandleRequest", &payload::get(PATH)));
                answer.map(|bytes| number(&payload::answer(&bytes).1)).map_err(|error| error.to_string())
            };
            std::thread::spawn(move || shared.count(next))
        };
        let (over_http, through_the_host) = ((0..2).map(over_http).collect(), (0..2).map(through_the_host).collect());
        Load { shared, over_http, through_the_host }
    }

    /// Kills a provider while calls are in flight, and waits for its next process.
    async fn kill(&self, provider: &str, load: &Load) {
        let generation = self.generation(provider).await;
        let pid = self.rig.ready_pid(provider, generation).await;
        load.makes_progress().await;
        signal(pid, Signal::SIGSTOP);
        if provider == self.store {
            self.calls_pile_up().await;
        }
        signal(pid, Signal::SIGKILL);
        self.rig.ready_pid(provider, generation + 1).await;
        let ready = Instant::now();
        self.next().await;
        assert!(ready.elapsed() < Duration::from_secs(1), "the next request took {:?}", ready.elapsed());
        assert!(!lives(pid));
    }

    async fn generation(&self, provider: &str) -> u64 {
        let report = self.rig.ps().await;
        report.providers.iter().find(|row| row.id == provider).expect("it was started").generation
    }

    /// Until every client waits for the store.
    async fn calls_pile_up(&self) {
        until("clients wait for the store", async || self.rig.ps().await.actors[0].calls_in_flight == 4).await;
    }
}

fn number(body: &str) -> u64 {
    let answer: Value = serde_json::from_str(body).expect("the counter answers JSON");
    answer["counter"].as_u64().unwrap_or_else(|| panic!("{answer} has no number"))
}

/// What all clients know.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    answers: AtomicU64,
}

struct Load {
    shared: Arc<Shared>,
    over_http: Vec<JoinHandle<Vec<String>>>,
    through_the_host: Vec<JoinHandle<Vec<String>>>,
}

impl Shared {
    /// Counts until it is to stop; returns the failures.
    fn count(&self, next: impl Fn() -> Result<u64, String>) -> Vec<String> {
        let mut failures = Vec::new();
        while !self.stop.load(Ordering::Acquire) {
            let before = self.acknowledged.load(Ordering::Acquire);
            match next() {
                Ok(number) => {
                    assert!(number > before, "{number} came after {before} was acknowledged");
                    self.acknowledged.fetch_max(number, Ordering::AcqRel);
                    self.answers.fetch_add(1, Ordering::AcqRel);
                }
                Err(failure) => failures.push(failure),
            }
        }
        failures
    }
}

impl Load {
    /// Until the clients got some more answers.
    async fn makes_progress(&self) {
        let answers = || self.shared.answers.load(Ordering::Acquire);
        let before = answers();
        until("clients get answers", async || answers() >= before + 8).await;
    }

    /// Failures over HTTP, and failures through the host.
    fn stop(self) -> (Vec<String>, Vec<String>) {
        self.shared.stop.store(true, Ordering::Release);
        let join = |threads: Vec<JoinHandle<Vec<String>>>| {
            threads.into_iter().flat_map(|thread| thread.join().expect("no number was lost")).collect()
        };
        (join(self.over_http), join(self.through_the_host))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_store_costs_the_calls_in_flight_only() {
    let counter = Counter::start().await;
    let web = counter.rig.ready_pid(&counter.web, 1).await;
    let load = counter.load();
    counter.kill(&counter.store, &load).await;
    load.makes_progress().await;
    let (over_http, through_the_host) = load.stop();

    let crashed = format!("provider {} (link default) crashed during Add: killed by signal 9 (SIGKILL)", counter.store);
    let away = format!("provider {} (link default) is not available: ", counter.store);
    // What the stopped process had not taken was not delivered, and says so.
    assert!(!through_the_host.is_empty(), "calls were in flight");
    for failure in &through_the_host {
        assert!(failure.contains(&crashed) || failure.contains(&away), "{failure}");
    }
    for failure in &over_http {
        assert!(failure.starts_with("502 ") && !failure.contains(&counter.store), "{failure}");
    }
    assert_eq!(counter.rig.ready_pid(&counter.web, 1).await, web, "the other provider was not touched");
    counter.rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_costs_its_own_connections_only() {
    let counter = Counter::start().await;
    let store = counter.rig.ready_pid(&counter.store, 1).await;
    let load = counter.load();
    counter.kill(&counter.web, &load).await;
    load.makes_progress().await;
    let (_, through_the_host) = load.stop();
    assert_eq!(through_the_host, Vec::<String>::new(), "calls that don't go through the server");
    assert_eq!(counter.rig.ready_pid(&counter.store, 1).await, store, "the other provider was not touched");
    let report = counter.rig.ps().await;
    let row = report.providers.iter().find(|row| row.id == counter.web).expect("it runs");
    assert_eq!((row.restarts, row.last_exit.as_deref()), (1, Some("killed by signal 9 (SIGKILL)")));
    counter.rig.host.stop().await;
}

#[test]
fn ten_kills_leak_nothing() {
    alone("recovery::ten_kills_leak_nothing", || async {
        let counter = Counter::start().await;
        let round = async |kills: usize| {
            let load = counter.load();
            for kill in 0..kills {
                counter.kill([&counter.store, &counter.web][kill % 2], &load).await;
            }
            load.stop();
        };
        round(2).await;
        let before = settled().await;
        round(10).await;
        let mut now = Held::now();
        until("what the kills took is given back", async || {
            now = Held::now();
            now.is_within(before)
        })
        .await;
        assert_eq!(before.children, 4, "two processes for each provider: its own, and the first of its pid namespace");
        counter.rig.host.stop().await;
        until("no process is left", async || Held::now().children == 0).await;
    });
}

/// What the process holds once nothing comes or goes any more.
async fn settled() -> Held {
    let (mut held, mut since) = (Held::now(), Instant::now());
    until("the process settles", async || {
        let now = Held::now();
        if now != held {
            (held, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_millis(300)
    })
    .await;
    held
}
