//! `kill -9` of the host: nothing of it is left behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_tests::cgroups::{groups_of_hosts_in, may_be_made};
use cofferdam_tests::process::{lives, signal, until};
use cofferdam_tests::{Rig, artifacts, http};
use nix::sys::signal::Signal;

/// Set in the process that is the host to be killed.
const DOOMED: &str = "COFFERDAM_TEST_DOOMED";

const MARK: &str = "shims: ";

/// Runs a host with two providers until it is killed, and says which processes it started.
async fn doomed() {
    let rig = Rig::start().await;
    let actor = rig.actor("kvcounter", &["wasmcloud:httpserver", "wasmcloud:keyvalue"]).await;
    let web = rig.provider("httpserver", "wasmcloud:httpserver").await;
    let store = rig.provider("keyvalue", "wasmcloud:keyvalue").await;
    let port = http::free_port().to_string();
    rig.link(&actor, "wasmcloud:keyvalue", &store, &[]).await.expect("the store accepts");
    rig.link(&actor, "wasmcloud:httpserver", &web, &[("PORT", &port)]).await.expect("the server accepts");
    println!("\n{MARK}{} {}", rig.ready_pid(&web, 1).await, rig.ready_pid(&store, 1).await);
    // In the middle of work, and for ever.
    loop {
        let _ = http::get_async(format!("http://127.0.0.1:{port}/doomed")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_shim_outlives_its_host() {
    if std::env::var_os(DOOMED).is_some() {
        return doomed().await;
    }
    artifacts::programs();
    // It can't clean up after itself.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut host = Command::new(std::env::current_exe().expect("a test knows its own program"))
        .args(["host_death::no_shim_outlives_its_host", "--exact", "--nocapture"])
        .env(DOOMED, "1")
        .env("COFFERDAM_BUILT", "1")
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a test can be run again");
    let mut lines = BufReader::new(host.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let said =
        lines.find_map(|line| line.strip_prefix(MARK).map(str::to_owned)).expect("the host says what it started");
    let made = groups_of_hosts_in(host.id());
    let shims: Vec<u32> = said.split(' ').map(|pid| pid.parse().expect("a process id")).collect();
    assert!(shims.len() == 2 && shims.iter().all(|shim| lives(*shim)), "{said}");

    signal(host.id(), Signal::SIGKILL);
    let killed = Instant::now();
    until("the shims end", async || !shims.iter().any(|shim| lives(*shim))).await;
    assert!(killed.elapsed() < Duration::from_secs(1), "it took {:?}", killed.elapsed());
    host.wait().expect("it can be waited for");
    if !may_be_made().await {
        return;
    }
    assert!(!made.is_empty(), "while it lived it had groups");
    // It could not remove its control groups. The next hosts here do: whoever asks is one, and the kernel may need a moment
    // more before they are empty.
    until("its groups are gone", async || may_be_made().await && groups_of_hosts_in(host.id()).is_empty()).await;
}
