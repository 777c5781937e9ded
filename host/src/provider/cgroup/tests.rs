//! Groups on the kernel that runs the tests, by way of the thread that starts processes: a shell stands for the shim, and
//! its script comes by the control socket. Where no group can be made there is nothing to test, and that is said.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::provider::child::Alive;
use crate::provider::exit::Exit;
use crate::provider::greeting::FirstWords;
use crate::provider::sandbox::Sandbox;
use crate::provider::spawner::{Spawned, Spawner};

const BOUNDS: Bounds = Bounds { memory_bytes: 64 << 20, tasks: 8, cpus_milli: None };

/// How long anything may take before it has failed.
const LONG: Duration = Duration::from_secs(20);

/// For those whose end nobody waits for.
fn alive() -> Alive {
    tokio::sync::watch::channel(()).1
}

/// Whether this user of this machine may make groups. Where root can by hand, this code must be able to.
fn may_make() -> bool {
    match ControlGroups::open() {
        Ok(_) => true,
        Err(error) => {
            assert!(!root_makes_them_by_hand(), "groups can be made: {error}");
            eprintln!("NOT TESTED: {error}");
            false
        }
    }
}

/// By two plain system calls in version 1, where it is usually mounted. Of version 2 this says nothing.
fn root_makes_them_by_hand() -> bool {
    static TRIES: AtomicU64 = AtomicU64::new(0);
    let name = format!("test-of-cofferdam-{}-{}", std::process::id(), TRIES.fetch_add(1, Ordering::Relaxed));
    let cgroup = fs::read_to_string("/proc/self/cgroup").expect("it can be read");
    let works = |controller: &str| {
        let mut own = cgroup.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let (list, path) = own.find(|(list, _)| list.split(',').any(|one| one == controller))?;
        let dir = Path::new("/sys/fs/cgroup").join(list).join(path.trim_start_matches('/')).join(&name);
        fs::create_dir(&dir).and_then(|()| fs::remove_dir(&dir)).ok()
    };
    nix::unistd::geteuid().is_root() && ["memory", "pids", "cpu"].into_iter().all(|one| works(one).is_some())
}

/// Runs a script in a group with these bounds, up to the end of what it writes, and ends it.
async fn run(bounds: Bounds, script: &str) -> (String, Counters, Option<Exit>) {
    let spawner = Spawner::start(Sandbox::Required).expect("a thread can be started");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let spawned = spawner
        .spawn(Path::new("/bin/sh"), (theirs.into(), FirstWords::none()), (Some(bounds), alive()))
        .await
        .expect("there is a shell");
    let Spawned { group, mut stdout, unbounded, .. } = spawned;
    assert!(unbounded.is_none(), "{unbounded:?}");
    ours.write_all(script.as_bytes()).expect("the shell reads");
    drop(ours);
    let mut said = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        stdout.read_to_string(&mut said).expect("it writes text");
        said
    });
    let in_time = tokio::time::timeout(LONG, &mut said).await;
    if in_time.is_err() {
        // Then the pipe ends.
        group.kill();
    }
    let said = in_time.expect("it ends in time").expect("no panic");
    let counters = group.counters();
    // What it has left in the background. The shell itself has ended, as it wanted to.
    group.kill();
    (said, counters, group.group().reap())
}

/// Groups of this process that are there.
fn left() -> Vec<std::path::PathBuf> {
    let this = Owner::this().expect("there is a /proc").home();
    let mark = this.rsplit_once('-').expect("it has parts").0.to_owned();
    let place = place::find(
        &fs::read_to_string("/proc/self/cgroup").expect("it can be read"),
        &fs::read_to_string("/proc/self/mountinfo").expect("it can be read"),
    );
    let dirs: Vec<_> = match place.expect("groups can be made") {
        Place::V1(parts) => parts.into_iter().map(|part| part.dir).collect(),
        Place::V2 { own, .. } => vec![own],
    };
    let entries = dirs.iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(&mark)).collect()
}

/// One after the other in one test: `left` looks at all groups of the process.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_bounds_what_is_in_it_and_leaves_nothing() {
    if !may_make() {
        return;
    }
    // More processes than it may have: the shell says that it can't fork, and nobody else notices.
    let (said, _, _) =
        run(BOUNDS, "for i in 1 2 3 4 5 6 7 8 9; do sleep 600 >/dev/null 2>&1 & echo started; done 2>&1").await;
    let started = said.lines().filter(|line| *line == "started").count();
    assert!(started < 8, "{started} processes besides the shell, where 8 are allowed: {said}");

    // More memory than it may have, by files in memory, which no limit of a process counts.
    let folder = tempfile::tempdir_in("/dev/shm").expect("there is a file system in memory");
    let fill = format!("head -c 268435456 /dev/zero > {}/full; true", folder.path().display());
    let (_, counters, exit) = run(BOUNDS, &fill).await;
    assert!(counters.oom_kills > 0, "{counters:?}");
    let peak = counters.memory_bytes_peak.unwrap_or(BOUNDS.memory_bytes);
    assert!((BOUNDS.memory_bytes / 2..=BOUNDS.memory_bytes).contains(&peak), "{counters:?}");
    assert_eq!(exit, Some(Exit::OutOfMemory { limit_bytes: BOUNDS.memory_bytes }));

    // What dies of something else did not run out of memory.
    let (_, counters, exit) = run(BOUNDS, "kill -ABRT $$").await;
    assert_eq!((counters.oom_kills, exit), (0, Some(Exit::Signal(nix::sys::signal::Signal::SIGABRT))));

    let began = Instant::now();
    while !left().is_empty() {
        assert!(began.elapsed() < LONG, "left behind: {:?}", left());
        tokio::task::yield_now().await;
    }
}

/// Whoever burns gets its part of one processor: by its own clock of what it used, not by how long it took.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_holds_whoever_burns() {
    if !may_make() {
        return;
    }
    let quota = Bounds { cpus_milli: Some(100), ..BOUNDS };
    // What it may use before the first period ends.
    const AT_ONCE_S: f64 = 0.1;
    for turns in [400_000, 4_000_000, 40_000_000] {
        let burn = format!("i=0; while [ $i -lt {turns} ]; do i=$((i+1)); done; cat /proc/self/cgroup; times");
        let began = Instant::now();
        let (said, ..) = run(quota, &burn).await;
        let took = began.elapsed();
        assert!(said.contains("cofferdam-"), "{said}");
        // `times`: the shell's own user and system time, as 0m0.250000s.
        let used = said.lines().rev().nth(1).unwrap_or_default().split_whitespace().map(seconds).sum::<f64>();
        assert!(used > 0.0, "{said}");
        // On a machine that is so fast it says nothing.
        if used > 1.3 * AT_ONCE_S {
            // The other side, that it took longer, needs no limit: a machine that is busy makes it take longer still.
            return assert!(used <= took.as_secs_f64() * 0.1 + AT_ONCE_S, "{used} s in {took:?}");
        }
    }
    panic!("no machine is so fast");
}

fn seconds(text: &str) -> f64 {
    let parsed = text.strip_suffix('s').and_then(|text| text.split_once('m'));
    parsed.map_or(0.0, |(m, s)| m.parse::<f64>().unwrap_or(0.0) * 60.0 + s.parse::<f64>().unwrap_or(0.0))
}

/// A group that was not used is nobody's, whatever failed: the kernel takes no wider bounds for the memory of one that has
/// narrow ones, and nobody is born in a group of which the host knows nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_not_used_is_not_used_again() {
    if !may_make() {
        return;
    }
    let spawner = Spawner::start(Sandbox::Required).expect("a thread can be started");
    let start = async |program: &str, bounds| {
        let (_, theirs) = UnixStream::pair().expect("a pair of sockets");
        spawner.spawn(Path::new(program), (theirs.into(), FirstWords::none()), (Some(bounds), alive())).await
    };
    start("/nowhere/is/it", BOUNDS).await.expect_err("there is no such program");
    let wider = Bounds { memory_bytes: 2 * BOUNDS.memory_bytes, ..BOUNDS };
    let Spawned { unbounded, group, .. } = start("/bin/true", wider).await.expect("there is one");
    assert!(unbounded.is_none(), "{unbounded:?}");
    group.group().reap();

    let in_thread = std::thread::spawn(move || {
        let is_in = |controller: &str| {
            let cgroup = fs::read_to_string("/proc/thread-self/cgroup").expect("it can be read");
            let mut lines = cgroup.lines().filter(|line| line.contains("cofferdam-"));
            lines.any(|line| line.split([':', ',']).any(|word| word == controller))
        };
        let mut groups = ControlGroups::open().expect("groups can be made");
        groups.begin(Bounds { cpus_milli: Some(10), ..BOUNDS }).expect("the kernel takes no less");
        let apart = groups.home.iter().any(is_of_processors);
        assert!(!apart || !is_in("cpu"), "who starts processes has no quota");
        let refused = Bounds { cpus_milli: Some(1), ..BOUNDS };
        let error = groups.begin(refused).expect_err("the kernel takes no less than 10");
        assert!(groups.next.is_none() && !is_in("memory") && !is_in("pids"), "after: {error}");
        groups.begin(wider).expect("it is another group");
    });
    in_thread.join().expect("no panic");
}

/// The steps of version 2 on a real mount of it. Where controllers are not in version 2, they are left out, and the rest
/// is as it is: a group below another, a process that is moved, and both removed.
#[test]
fn a_process_is_moved_in_version_2() {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").expect("it can be read");
    let only_v2: String = fs::read_to_string("/proc/self/cgroup").expect("it can be read");
    let only_v2: String = only_v2.lines().filter(|line| line.starts_with("0::")).collect();
    let this = Owner::this().expect("there is a /proc");
    let part = |dir| vec![Part { controllers: Vec::new(), dir }];
    let groups = match place::find(&only_v2, &mountinfo) {
        Ok(Place::V2 { own, .. }) => ControlGroups::open_in(Version::V2, part(own), this).map_err(|e| e.to_string()),
        other => Err(format!("{other:?}")),
    };
    let mut groups = match groups {
        Ok(groups) => groups,
        Err(why) => return eprintln!("NOT TESTED: {why}"),
    };
    let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("it can be started");
    groups.begin(BOUNDS).expect("a group can be made");
    let group = groups.take(child.id()).expect("it can be moved").expect("there is one");
    let dir = group.parts[0].dir.clone();
    let inside = fs::read_to_string(dir.join("cgroup.procs")).expect("it can be read");
    assert_eq!(inside.trim(), child.id().to_string());
    child.kill().and_then(|()| child.wait()).expect("it can be ended");
    drop(group);
    assert!(!dir.exists(), "it was removed");
    let home = dir.parent().expect("it lies in another").to_owned();
    drop(groups);
    assert!(!home.exists(), "so was the host's");
}

/// What a host left that was killed: a group of this pid namespace, of a process that is not there.
#[test]
fn the_next_host_removes_what_a_dead_one_left() {
    if !may_make() {
        return;
    }
    let groups = ControlGroups::open().expect("groups can be made");
    let this = Owner::this().expect("there is a /proc");
    let home = &groups.home[0].dir;
    let name = home.file_name().expect("it has a name").to_string_lossy().into_owned();
    let parts: Vec<&str> = name.split('-').collect();
    let beside = |name: String| home.with_file_name(name);
    // The same pid, born at another time; and somebody else's pid namespace.
    let dead = beside(format!("cofferdam-{}-{}-1-0", parts[1], parts[2]));
    let elsewhere = beside(format!("cofferdam-7-{}-1-0", parts[2]));
    let foreign = beside("cofferdam-test-of-somebody-else".to_owned());
    for dir in [&dead, &dead.join("3"), &elsewhere, &foreign] {
        make(dir).expect("it can be made");
    }
    sweep(&groups.own[0].dir, this);
    let found = [&dead, &elsewhere, &foreign, home].map(|dir| dir.exists());
    for dir in [&elsewhere, &foreign] {
        fs::remove_dir(dir).expect("it is ours");
    }
    assert_eq!(found, [false, true, true, true]);
}
