//! A provider that tries to get out, one way at a time, as root and as a user without any right. After each attempt the
//! host lives and another provider answers.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cofferdam_host::NativeCapability;
use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_host::words::{Access, AddressPattern, Grants, NetworkGrant, PathGrant};
use cofferdam_rogue::{Attempt, Outside};
use cofferdam_tests::elsewhere::{self, Who};
use cofferdam_tests::golden::show;
use cofferdam_tests::lures::Lures;
use cofferdam_tests::process::{Held, until};
use cofferdam_tests::{Rig, artifacts, http};
use nix::unistd::geteuid;
use serde_json::{Value, json};

const ROGUE: &str = "cofferdam:rogue";
const PROBE: &str = "cofferdam:probe";

/// How long one attempt may take, with everything after it, on a busy machine.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// What the host has in its environment, and nobody else is to have.
const SECRET: (&str, &str) = ("COFFERDAM_ESCAPE_SECRET", "swordfish");

struct Scene {
    rig: Rig,
    provider: NativeCapability,
    rogue: String,
    probe: String,
    actor: String,
    outside: Value,
    lures: Lures,
    /// Which start of the rogue is running.
    generation: u64,
}

impl Scene {
    async fn start(network: Option<NetworkGrant>) -> Self {
        let restart = RestartPolicy {
            first_delay: Duration::from_millis(1),
            delay_max: Duration::from_millis(1),
            // It crashes more often than any provider may.
            budget: RestartBudget::None,
            ..RestartPolicy::default()
        };
        let rig = Rig::start_with(|builder| builder.with_restart_policy(restart)).await;
        let actor = rig.actor("caller", &[ROGUE, PROBE]).await;
        let (granted, port) = (for_everybody(rig.folder.path()), http::free_port());
        let provider = artifacts::provider("rogue", ROGUE).with_grants(grants(&granted, port, network));
        let rogue = rig.start_provider(provider.clone()).await;
        let probe = rig.provider("probe", PROBE).await;
        rig.link(&actor, ROGUE, &rogue, &[]).await.expect("the rogue accepts");
        rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
        let own = directory(&rig, &rogue);
        let (lures, forbidden) = (Lures::new(&own), own.join("forbidden"));
        fs::write(&forbidden, "not for providers").expect("it can be written");
        // Root's own, or, for whoever is nobody but the same user, one that its owner may not read either.
        let mode = if geteuid().is_root() { 0o600 } else { 0 };
        fs::set_permissions(&forbidden, Permissions::from_mode(mode)).expect("it is ours");
        let outside = Outside {
            readable_dir: "readable".to_owned(),
            readable_file: "file".to_owned(),
            listen_address: format!("127.0.0.1:{port}"),
            tcp_port: lures.tcp.local_addr().expect("it is bound").port(),
            udp_port: lures.udp.local_addr().expect("it is bound").port(),
            abstract_name: lures.abstract_name.clone(),
            socket_path: "/dirs/state/lure.sock".to_owned(),
            forbidden_path: "/dirs/state/forbidden".to_owned(),
            state_dir: rig.folder.path().join("state").to_string_lossy().into_owned(),
            other_dir: directory(&rig, &probe).to_string_lossy().into_owned(),
            host_pid: std::process::id(),
        };
        let outside = serde_json::to_value(outside).expect("it is plain data");
        Self { rig, provider, rogue, probe, actor, outside, lures, generation: 1 }
    }

    /// Makes one attempt and says in a line what became of it.
    async fn make(&mut self, attempt: Attempt) -> String {
        let began = Instant::now();
        let answer = self.rig.forward(&self.actor, ROGUE, attempt.name(), &self.outside).await;
        let became = match &answer {
            Ok(line) => String::from_utf8_lossy(line).into_owned(),
            Err(_) => {
                let shown = show(&answer);
                if shown.contains("SIGSYS") {
                    self.generation += 1;
                    "ended by SIGSYS".to_owned()
                } else {
                    // It took too long, or worse: the golden table says that it must not.
                    eprintln!("{attempt:?}: {shown}");
                    shown
                }
            }
        };
        self.rig.ready_pid(&self.rogue, self.generation).await;
        self.all_is_well(attempt).await;
        assert!(began.elapsed() < ATTEMPT_MAX, "{attempt:?} took {:?}", began.elapsed());
        became
    }

    /// The host lives, the rogue is there again, and another provider does not know of it.
    async fn all_is_well(&self, attempt: Attempt) {
        let rest = self.rig.forward(&self.actor, ROGUE, "Rest", &json!({})).await;
        assert_eq!(show(&rest), "ok: here", "after {attempt:?}");
        let echo = self.rig.forward(&self.actor, PROBE, "Echo", &json!("hi")).await;
        assert_eq!(show(&echo), "ok: \\xa2hi", "after {attempt:?}");
        let granted = self.rig.folder.path().join("granted");
        assert_eq!(fs::read(granted.join("file")).expect("it is there"), b"as it was", "after {attempt:?}");
        assert_eq!(fs::read_dir(&granted).expect("it is there").count(), 1, "after {attempt:?}");
        assert_eq!(self.lures.reached(), Vec::<&str>::new(), "after {attempt:?}");
    }
}

/// What the rogue is granted: somewhere to listen, a file and a directory to be read, and perhaps a network.
fn grants(granted: &Path, port: u16, network: Option<NetworkGrant>) -> Grants {
    let readable = |name: &str, path: PathBuf| PathGrant { name: name.to_owned(), path, access: Access::Read };
    let address: AddressPattern = format!("127.0.0.1:{port}").parse().expect("a good address");
    Grants {
        listen: vec![address],
        dir: vec![readable("readable", granted.to_owned())],
        file: vec![readable("file", granted.join("file"))],
        network,
        ..Grants::default()
    }
}

/// A directory and a file in it that anybody may write to: what keeps the rogue from it is the sandbox.
fn for_everybody(folder: &Path) -> PathBuf {
    let granted = folder.join("granted");
    fs::create_dir(&granted).expect("it can be made");
    fs::write(granted.join("file"), "as it was").expect("it can be written");
    fs::set_permissions(&granted, Permissions::from_mode(0o777)).expect("it is ours");
    fs::set_permissions(granted.join("file"), Permissions::from_mode(0o666)).expect("it is ours");
    granted
}

/// Where the host keeps what is a provider's own.
fn directory(rig: &Rig, provider: &str) -> PathBuf {
    rig.folder.path().join("state/providers").join(provider).join("default")
}

/// Makes these attempts, and leaves a table of what became of them.
async fn walk(report: &Path, attempts: &[Attempt], network: Option<NetworkGrant>) {
    let mut scene = Scene::start(network).await;
    // Idle threads of the runtime come and go, whatever was attempted; one for each attempt would be many more.
    let before = Held::now();
    let before = Held { threads: before.threads + 2, ..before };
    let mut table = String::new();
    for attempt in attempts {
        let became = scene.make(*attempt).await;
        assert!(!became.starts_with("OUT"), "{attempt:?} got out: {became}");
        let _ = writeln!(table, "{:22} {became}", attempt.name());
    }
    let mut now = before;
    until("nothing is left behind", async || {
        let held = Held::now();
        if held != now {
            eprintln!("{held:?}, where {before:?} is due");
            now = held;
        }
        held.is_within(before)
    })
    .await;
    let ps = scene.rig.ps().await;
    assert!(ps.providers.iter().all(|row| row.state == "ready"), "{ps:?}");
    if attempts.contains(&Attempt::SymbolicLink) {
        leads_nowhere(&scene).await;
    }
    scene.rig.host.stop().await;
    fs::write(report, table).expect("the report can be left");
}

/// A host of root gives a provider's directory to it, when it isn't its own: along the links that the rogue has left
/// there, nothing changes hands.
async fn leads_nowhere(scene: &Scene) {
    if !geteuid().is_root() {
        return;
    }
    let (own, state) = (directory(&scene.rig, &scene.rogue), scene.rig.folder.path().join("state"));
    assert!(fs::read_link(own.join("to-state")).is_ok_and(|to| to == state), "the rogue left no link");
    scene.rig.host.stop_provider(&scene.rogue, ROGUE, None).await.expect("it can be stopped");
    chown(&own, Some(0), Some(0)).expect("root may give away");
    // So it is when an operator has restored it from a backup.
    scene.rig.host.start_native_capability(scene.provider.clone()).await.expect("it starts again");
    assert_ne!(fs::metadata(&own).expect("it is there").uid(), 0, "it was not given to the provider");
    for kept in [state.clone(), state.join("host.nk"), directory(&scene.rig, &scene.probe).join("..")] {
        assert_eq!(fs::metadata(&kept).expect("it is there").uid(), 0, "{} changed hands", kept.display());
    }
}

/// Both halves in processes of their own: they count what they hold, and one is somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_out_is_refused() {
    if let Some(report) = elsewhere::report() {
        return walk(&report, Attempt::ALL, None).await;
    }
    as_everybody("every_way_out_is_refused", "escape");
}

/// With the host's network and one port of it to connect to, which nobody listens on: it reaches no other by TCP, and
/// nothing of what it could not reach before but UDP and sockets with a path.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_grant_is_no_way_out() {
    const REFUSED: [Attempt; 9] = [
        Attempt::FastOpen,
        Attempt::ConnectListener,
        Attempt::ConnectTcp,
        Attempt::OtherProtocols,
        Attempt::ConnectAbstract,
        Attempt::ReadPasswd,
        Attempt::SignalHost,
        Attempt::Execute,
        Attempt::WritableCode,
    ];
    if let Some(report) = elsewhere::report() {
        let network = NetworkGrant { bind: Vec::new(), connect: vec![1] };
        return walk(&report, &REFUSED, Some(network)).await;
    }
    as_everybody("a_network_grant_is_no_way_out", "network");
}

fn as_everybody(test: &str, golden: &str) {
    let programs = ["cofferdam-shim", "libcofferdam_rogue.so", "libcofferdam_probe.so"];
    let run = |who| elsewhere::run(&format!("escape::{test}"), who, &programs, &["caller"], &[SECRET]);
    let tables: Vec<_> = std::thread::scope(|scope| {
        let run = |(name, who): &(&'static str, Who)| {
            (
                *name,
                scope.spawn({
                    let who = *who;
                    move || run(who)
                }),
            )
        };
        let running: Vec<_> = elsewhere::everybody().iter().map(run).collect();
        running.into_iter().map(|(name, table)| (name, table.join().expect("its own words are above"))).collect()
    });
    for (name, table) in tables {
        insta::assert_snapshot!(format!("{golden}_{name}"), table);
    }
    if !elsewhere::everybody().iter().any(|(_, who)| *who == Who::Nobody) {
        eprintln!("only as an unprivileged user: run by root, this tries both");
    }
}

/// `docs/sandbox.md` says of each attempt what stops it.
#[test]
fn every_way_out_is_documented() {
    let page = fs::read_to_string(artifacts::root().join("docs/sandbox.md")).expect("the page is there");
    let named = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let documented: Vec<String> = page.lines().filter_map(named).collect();
    let attempts: Vec<String> = Attempt::ALL.iter().map(|attempt| attempt.name().to_owned()).collect();
    assert_eq!(documented, attempts, "docs/sandbox.md and the list of attempts differ");
}
