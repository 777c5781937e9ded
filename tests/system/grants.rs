//! What a provider gets of the world, and what it doesn't: the rule at work, in a real process.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cofferdam_claims::Needs;
use cofferdam_host::audit::FOLDER;
use cofferdam_host::control::{Client, ExplainReport, ExplainRequest};
use cofferdam_host::words::{Access, EnvGrant, Grants, PathGrant, ProviderLimits, SecretGrant, SecretSource};
use cofferdam_host::{HostError, NativeCapability};
use cofferdam_tests::process::until;
use cofferdam_tests::{Rig, artifacts, http};
use serde_json::{Value, json};

const PROBE: &str = "cofferdam:probe";
const HTTP: &str = "wasmcloud:httpserver";
const SECRET: &str = "hunter2-is-a-secret";

/// A host with a probe that was granted something, and an actor that is linked to it.
struct Scene {
    rig: Rig,
    actor: String,
    probe: String,
}

impl Scene {
    async fn start(grants: Option<Grants>) -> Self {
        Self::start_with(probe(None, grants)).await
    }

    async fn start_with(probe: NativeCapability) -> Self {
        let rig = Rig::start().await;
        let actor = rig.actor("caller", &[PROBE]).await;
        let probe = rig.start_provider(probe).await;
        rig.link(&actor, PROBE, &probe, &[]).await.expect("it accepts");
        Self { rig, actor, probe }
    }

    /// What the probe answered, or the error.
    async fn ask(&self, operation: &str, payload: &Value) -> String {
        match self.rig.forward(&self.actor, PROBE, operation, payload).await {
            Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
            Err(error) => format!("error: {error}"),
        }
    }

    async fn check(&self, operation: &str, payload: &Value, expected: &str) {
        let answer = self.ask(operation, payload).await;
        assert!(answer.contains(expected), "{operation} {payload}: {answer}, not {expected}");
    }

    async fn explain(&self) -> ExplainReport {
        explain(&self.rig, &self.probe).await
    }
}

async fn explain(rig: &Rig, provider: &str) -> ExplainReport {
    let mut client = Client::connect(&rig.folder.path().join("host.sock")).await.expect("the socket is served");
    let request = ExplainRequest { provider: provider.to_owned(), link: None };
    client.explain(request).await.expect("a host explains")
}

/// The probe, with what it states and what it is granted.
fn probe(needs: Option<&str>, grants: Option<Grants>) -> NativeCapability {
    let library = fs::read(artifacts::programs().join("libcofferdam_probe.so")).expect("it was built");
    let mut archive = artifacts::unsigned("probe", PROBE, &library);
    let needs = needs.map(|json| serde_json::from_str::<Needs>(json).expect("needs"));
    archive.set_needs(needs);
    let capability = NativeCapability::from_archive(&artifacts::signed(archive), None).expect("it verifies");
    match grants {
        Some(grants) => capability.with_grants(grants),
        None => capability,
    }
}

fn listen(addresses: &[&str]) -> Grants {
    Grants { listen: addresses.iter().map(|text| text.parse().expect("an address")).collect(), ..Grants::default() }
}

fn loopback() -> String {
    format!("127.0.0.1:{}", http::free_port())
}

/// Whether anybody listens there.
fn is_open(address: &str) -> bool {
    TcpStream::connect(address.parse::<SocketAddr>().expect("an address")).is_ok()
}

/// All that the audit log holds.
fn audit_log(rig: &Rig) -> String {
    let files = fs::read_dir(rig.folder.path().join("state").join(FOLDER)).expect("it is there").flatten();
    files.map(|file| String::from_utf8_lossy(&fs::read(file.path()).expect("it is ours")).into_owned()).collect()
}

/// A folder that any user can change, and the path of one more in it.
fn shared(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::create_dir(&path).expect("made");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("it is ours");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_states_nothing_gets_nothing() {
    let scene = Scene::start(None).await;
    let address = loopback();
    let here = TcpListener::bind("127.0.0.1:0").expect("a port");
    let there = here.local_addr().expect("an address").to_string();
    scene.check("Listen", &json!(address), "is not granted").await;
    scene.check("Connect", &json!(there), "is not granted").await;
    scene.check("Dir", &json!({"name": "data", "file": "x"}), "no directory named \"data\" is granted").await;
    scene.check("File", &json!({"name": "conf"}), "is not granted").await;
    scene.check("Env", &Value::Null, "{}").await;
    assert!(!is_open(&address));
    scene.rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_had_and_no_more() {
    let (granted, other) = (loopback(), loopback());
    let here = TcpListener::bind("127.0.0.1:0").expect("a port");
    let there = here.local_addr().expect("an address");
    let grants = Grants {
        connect: vec![format!("localhost:{}", there.port()).parse().expect("an address"), "*:1".parse().expect("good")],
        ..listen(&[&granted])
    };
    let scene = Scene::start(Some(grants)).await;
    scene.check("Listen", &json!(granted), &granted).await;
    assert!(is_open(&granted));
    scene.check("Listen", &json!(other), "is not granted").await;
    scene.check("Listen", &json!(format!("0.0.0.0:{}", granted.rsplit(':').next().unwrap())), "is not granted").await;
    scene.check("Listen", &json!("nonsense"), "is no address").await;
    scene.check("Connect", &json!(format!("localhost:{}", there.port())), "connected").await;
    scene.check("Connect", &json!(there.to_string()), "is not granted").await;
    scene.check("Connect", &json!("localhost:1"), "which a wildcard does not grant").await;
    scene.check("Connect", &json!("127.0.0.1:1"), "is not granted").await;
    let running = scene.explain().await.running.expect("it runs");
    assert_eq!(running.listening, [granted.as_str()]);
    scene.rig.host.stop().await;
    assert!(!is_open(&granted), "the end of the process takes it back");
    let log = audit_log(&scene.rig);
    for (kind, want, subject) in [
        ("granted", "listen", granted.clone()),
        ("granted", "connect", format!("localhost:{}", there.port())),
        ("grant_refused", "listen", other),
        ("grant_refused", "connect", there.to_string()),
    ] {
        let told = |line: &&str| line.contains(kind) && line.contains(want) && line.contains(&subject);
        assert!(log.lines().any(|line| told(&line)), "{kind} {want} {subject} is not in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_value_grants_one_address_and_a_grant_narrows_it() {
    let rig = Rig::start().await;
    let actor = rig.actor("echo", &[HTTP]).await;
    let (port, narrowed) = (http::free_port(), loopback());
    let archive = artifacts::archive("httpserver", HTTP);
    let free = NativeCapability::from_archive(&archive, None).expect("it verifies");
    let bound = NativeCapability::from_archive(&archive, Some("narrow".to_owned())).expect("it verifies");
    let id = rig.start_provider(free).await;
    rig.start_provider(bound.with_grants(listen(&[&narrowed]))).await;
    rig.link(&actor, HTTP, &id, &[("PORT", &port.to_string())]).await.expect("the value is the grant");
    assert!(is_open(&format!("127.0.0.1:{port}")));

    let set = async |port: &str| {
        let values = [("PORT".to_owned(), port.to_owned())].into();
        rig.host.set_link(&actor, HTTP, Some("narrow".to_owned()), id.clone(), values).await
    };
    let other = http::free_port();
    let error = set(&other.to_string()).await.expect_err("another port is granted").to_string();
    let lines = format!("grants: {{listen: [\"127.0.0.1:{other}\"]}}");
    assert!(error.contains("in the manifest") && error.contains(&lines), "{error}");
    let granted = narrowed.rsplit(':').next().expect("a port");
    set(granted).await.expect("this one is granted");
    assert!(is_open(&narrowed));
    rig.host.stop().await;
}

/// The provider keeps the listener after its link has gone: the host takes it back.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_gave_goes_with_it() {
    let needs = r#"{"listen": {"address": "$LISTEN", "port": "1"}}"#;
    let scene = Scene::start_with(probe(Some(needs), None)).await;
    let (first, second) = (loopback(), loopback());
    let other = scene.rig.actor("caller", &[PROBE]).await;
    let link = async |address: &str| {
        scene.rig.link(&other, PROBE, &scene.probe, &[("LISTEN", address), ("KEEP", "true")]).await
    };
    link(&first).await.expect("it accepts");
    assert!(is_open(&first));
    link(&second).await.expect("it accepts");
    assert!(is_open(&second) && !is_open(&first), "the values that gave it are others now");
    scene.check("Accept", &json!(first), "Invalid argument").await;
    scene.rig.host.remove_link(&other, PROBE, None).await.expect("it is removed");
    assert!(!is_open(&second), "the link that gave it has gone");
    scene.check("Listen", &json!(second), "is not granted").await;
    // The address is free for others, and for the next link.
    drop(TcpListener::bind(&second).expect("it is free"));
    link(&second).await.expect("it accepts");
    assert!(is_open(&second));
    scene.rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_and_files_are_had_as_they_are_granted() {
    let folder = tempfile::tempdir().expect("a directory");
    let read = shared(folder.path(), "read");
    shared(folder.path(), "write");
    fs::write(read.join("x"), "from the host").expect("written");
    fs::write(folder.path().join("conf"), "a conf").expect("written");
    fs::write(folder.path().join("log"), "").expect("written");
    let path =
        |name: &str, path: &str, access| PathGrant { name: name.to_owned(), path: folder.path().join(path), access };
    let grants = Grants {
        dir: vec![path("read", "read", Access::Read), path("write", "write", Access::Write)],
        file: vec![path("conf", "conf", Access::Read), path("log", "log", Access::Write)],
        ..Grants::default()
    };
    let scene = Scene::start(Some(grants)).await;
    scene.check("Dir", &json!({"name": "read", "file": "x"}), "from the host").await;
    scene.check("Dir", &json!({"name": "read", "file": "x", "text": "mine"}), "error").await;
    scene.check("Dir", &json!({"name": "read", "write": true, "file": "x"}), "for reading only").await;
    scene.check("Dir", &json!({"name": "write", "write": true, "file": "y", "text": "mine"}), "mine").await;
    scene.check("Dir", &json!({"name": "write", "file": "../../etc/passwd"}), "error").await;
    scene.check("File", &json!({"name": "conf"}), "a conf").await;
    scene.check("File", &json!({"name": "conf", "write": true}), "is not granted").await;
    scene.check("Reopen", &json!("conf"), "Permission denied").await;
    scene.check("File", &json!({"name": "log", "write": true, "text": "a line"}), "a line").await;
    assert_eq!(fs::read_to_string(read.join("x")).expect("it is there"), "from the host");
    assert_eq!(fs::read_to_string(folder.path().join("log")).expect("it is there"), "a line");
    // Whoever puts a link there does not choose what is opened.
    fs::remove_file(folder.path().join("conf")).expect("removed");
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("conf")).expect("made");
    scene.check("File", &json!({"name": "conf"}), "symbolic links").await;
    scene.rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_variables_reach_the_provider_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("key");
    fs::write(&file, SECRET).expect("written");
    let grants = Grants {
        env: vec![EnvGrant { name: "MODE".to_owned(), value: Some(format!("{SECRET}-too")) }],
        secret: vec![SecretGrant { name: "key".to_owned(), from: SecretSource::File(file.clone()) }],
        ..Grants::default()
    };
    assert!(!format!("{grants:?}").contains(SECRET));
    let scene = Scene::start(Some(grants)).await;
    scene.check("Env", &Value::Null, &format!("{{\"MODE\": \"{SECRET}-too\"}}")).await;
    scene.check("File", &json!({"name": "key"}), SECRET).await;
    scene.check("File", &json!({"name": "key", "write": true}), "is not granted").await;
    scene.check("Reopen", &json!("key"), "Operation not permitted").await;
    // The next one is read when it is asked for.
    fs::write(&file, "another").expect("written");
    scene.check("File", &json!({"name": "key"}), "another").await;
    let shown = format!("{:?}{:?}", scene.explain().await, scene.rig.ps().await);
    assert!(shown.contains("MODE") && !shown.contains(SECRET), "{shown}");
    scene.rig.host.stop().await;
    let log = audit_log(&scene.rig);
    assert!(!log.contains(SECRET), "{log}");
    for (want, subject) in [("\"env\"", "MODE"), ("\"secret\"", "\"key\"")] {
        let told = |line: &str| line.contains("\"granted\"") && line.contains(want) && line.contains(subject);
        assert!(log.lines().any(told), "{want} {subject} is not in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_granted_is_refused_at_the_start() {
    let rig = Rig::start().await;
    let state = rig.folder.path().join("state");
    let dir = |path: &Path| {
        let grant = PathGrant { name: "data".to_owned(), path: path.to_owned(), access: Access::Read };
        Grants { dir: vec![grant], ..Grants::default() }
    };
    let secret = |from| Grants { secret: vec![SecretGrant { name: "x".to_owned(), from }], ..Grants::default() };
    let variable = EnvGrant { name: "COFFERDAM_NO_SUCH_VARIABLE".to_owned(), value: None };
    let zero = EnvGrant { name: "ZERO".to_owned(), value: Some("a\0b".to_owned()) };
    let cases = [
        (None, dir(Path::new("/")), "grant_unusable", "never granted"),
        (None, dir(rig.folder.path()), "grant_unusable", "holds the host's own state"),
        (None, dir(&state), "grant_unusable", "the host's own state"),
        (None, dir(Path::new("/proc")), "grant_unusable", "of the kernel"),
        (None, secret(SecretSource::File(state.join("host.nk"))), "grant_unusable", "lies in the host's own state"),
        (None, secret(SecretSource::Env(variable.name.clone())), "grant_unusable", "has no variable"),
        (None, Grants { env: vec![variable], ..Grants::default() }, "grant_unusable", "does not have it"),
        (None, Grants { env: vec![zero], ..Grants::default() }, "grant_unusable", "zero byte"),
        (Some("{}"), dir(Path::new("/srv")), "bad_grants", "states no need of it"),
        (Some(r#"{"listen": {"address": "0.0.0.0", "port": "$P"}}"#), Grants::default(), "bad_needs", "loopback"),
    ];
    let states_nothing = probe(None, None);
    for (needs, grants, kind, why) in cases {
        let capability = match needs {
            None => states_nothing.clone().with_grants(grants),
            Some(_) => probe(needs, Some(grants)),
        };
        let error = rig.host.start_native_capability(capability).await.expect_err(why);
        assert_eq!(error.report().kind, kind, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(matches!(error, HostError::Grants { .. } | HostError::GrantUnusable { .. }));
    }
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_bound_one_provider_and_nobody_else() {
    let limits = ProviderLimits {
        memory_bytes: Some(128 << 20),
        threads: Some(40),
        files: Some(64),
        file_bytes: Some(1 << 20),
        calls: Some(3),
        cpu_s: Some(3600),
        cpus_milli: None,
    };
    let scene = Scene::start_with(probe(None, None).with_limits(limits)).await;
    scene.check("Eat", &json!(32 << 20), "33554432 bytes").await;
    scene.check("Eat", &json!(256 << 20), "memory allocation failed").await;
    let count =
        async |operation: &str| -> usize { scene.ask(operation, &json!(2000)).await.parse().expect("a number") };
    let threads = count("Threads").await;
    assert!((1..40).contains(&threads), "{threads} threads");
    let descriptors = count("Descriptors").await;
    assert!((1..64).contains(&descriptors), "{descriptors} descriptors");
    scene.check("Grow", &json!(1 << 20), "1048576 bytes").await;
    assert_eq!(scene.rig.ready_pid(&scene.probe, 1).await, scene.rig.ready_pid(&scene.probe, 1).await);
    let shown = scene.explain().await.running.expect("it runs").limits;
    assert_eq!((shown.memory_bytes, shown.threads, shown.files, shown.calls), (128 << 20, 40, 64, 3));
    // It is told by a signal that kills, unless the library ignores it.
    let grown = scene.ask("Grow", &json!((1 << 20) + 1)).await;
    assert!(grown.contains("SIGXFSZ") || grown.contains("File too large"), "{grown}");
    scene.rig.host.stop().await;
}

/// A library that burns its time ends by a signal that says so; the next process has all of it again.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_processor_is_bounded() {
    let limits = ProviderLimits { cpu_s: Some(1), ..ProviderLimits::default() };
    let scene = Scene::start_with(probe(None, None).with_limits(limits)).await;
    scene.check("Burn", &Value::Null, "error").await;
    scene.rig.ready_pid(&scene.probe, 2).await;
    let report = scene.rig.ps().await;
    let row = report.providers.iter().find(|row| row.id == scene.probe).expect("it is kept");
    assert!(row.last_exit.as_deref().is_some_and(|exit| exit.contains("SIGXCPU")), "{row:?}");
    until("the probe answers again", async || scene.ask("Eat", &json!(1)).await == "1 bytes").await;
    scene.rig.host.stop().await;
}
