//! The archive on disk is replaced while it is being loaded, and while a dead process is being replaced. What runs is what
//! was verified, or nothing does; and nothing that could be run lies about.
//!
//! The traitor is the probe with another name and another answer. It lies there in two ways: signed as a provider of its
//! own, and within the archive of the honest one, whose claims say otherwise.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cofferdam_claims::{KeyKind, WriteOptions};
use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_host::{HostError, HostManifest};
use cofferdam_tests::process::{alone, signal};
use cofferdam_tests::rig::LONG;
use cofferdam_tests::{Rig, artifacts};
use nix::sys::signal::Signal;
use serde_json::json;

const PROBE: &str = "cofferdam:probe";

/// Starts while the file changes all the time; more, until enough of them went well and enough were refused.
const STARTS_MIN: usize = 100;
const OUTCOMES_MIN: usize = 10;

/// Deaths while the file changes all the time.
const DEATHS: u64 = 30;

/// A provider as it can be known from outside.
#[derive(Debug)]
struct Known {
    id: String,
    name: &'static str,
    answer: &'static [u8],
}

/// What lies on the disk in turn.
#[derive(Clone)]
struct Archives {
    honest: Vec<u8>,
    other: Vec<u8>,
    forged: Vec<u8>,
}

/// How a file is replaced.
#[derive(Clone, Copy, Debug)]
enum How {
    /// Another file takes its name.
    Renamed,
    /// Its bytes are written over, and whoever has it open sees some of both.
    Overwritten,
    /// It is emptied and written again.
    Rewritten,
}

/// Replaces a file all the time, until it is dropped.
struct Swapper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Scene {
    rig: Rig,
    /// Where the archive lies. Nothing else of the test does.
    given: PathBuf,
    archives: Archives,
    honest: Known,
    other: Known,
    /// Actors that are linked to the one and to the other.
    callers: [String; 2],
}

impl How {
    fn put(self, path: &Path, bytes: &[u8]) {
        match self {
            Self::Renamed => {
                let next = path.with_extension("next");
                fs::write(&next, bytes).expect("it can be written");
                fs::rename(next, path).expect("it can be renamed");
            }
            Self::Overwritten => {
                let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
                let mut file = file.expect("it can be opened");
                // In pieces, so that many states of it are seen.
                bytes.chunks(64 << 10).for_each(|piece| file.write_all(piece).expect("it can be written"));
                file.set_len(bytes.len() as u64).expect("it can be cut");
            }
            Self::Rewritten => {
                let mut file = File::create(path).expect("it can be emptied");
                bytes.chunks(64 << 10).for_each(|piece| file.write_all(piece).expect("it can be written"));
            }
        }
    }
}

impl Swapper {
    fn begin(path: PathBuf, turns: Vec<(How, Vec<u8>)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                turns.iter().for_each(|(how, bytes)| how.put(&path, bytes));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("every file could be replaced");
        }
    }
}

/// The probe without its symbols, which makes it small: more is read and checked in the same time.
fn library() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let stripped = folder.path().join("stripped.so");
    let library = artifacts::programs().join("libcofferdam_probe.so");
    let strip = Command::new("strip").arg("--strip-all").arg("-o").arg(&stripped).arg(library).status();
    assert!(strip.expect("binutils are installed, as for every linker").success());
    fs::read(stripped).expect("it was written")
}

/// As many bytes, with other words.
fn replaced(bytes: &[u8], word: &[u8], other: &[u8]) -> Vec<u8> {
    assert_eq!(word.len(), other.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(word)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at..at + word.len()].copy_from_slice(other));
    bytes
}

impl Archives {
    fn new() -> (Self, Known, Known) {
        let honest = library();
        let traitor = replaced(&replaced(&honest, b"probe", b"rogue"), b"waited", b"WAITED");
        let sign = |library: &[u8]| {
            let key = KeyKind::Provider.generate();
            let mut archive = artifacts::unsigned("swapped", PROBE, library);
            let bytes = archive.to_bytes("swapped", artifacts::issuer(), &key, &WriteOptions::default());
            (bytes.expect("it can be packed"), key.public_key())
        };
        let ((archive, id), (other, other_id)) = (sign(&honest), sign(&traitor));
        let at = (0..archive.len()).find(|at| archive[*at..].starts_with(&honest)).expect("it is not compressed");
        let mut forged = archive.clone();
        forged[at..at + traitor.len()].copy_from_slice(&traitor);
        let known = |id, name, answer| Known { id, name, answer };
        let archives = Self { honest: archive, other, forged };
        (archives, known(id, "probe", b"waited"), known(other_id, "rogue", b"WAITED"))
    }
}

impl Scene {
    async fn start() -> Self {
        let (archives, honest, other) = Archives::new();
        let (first_delay, delay_max) = (Duration::ZERO, Duration::ZERO);
        let restart = RestartPolicy { budget: RestartBudget::None, first_delay, delay_max, ..RestartPolicy::default() };
        let rig = Rig::start_with(|builder| builder.with_restart_policy(restart)).await;
        let given = rig.folder.path().join("given");
        fs::create_dir(&given).expect("it can be made");
        let mut callers = Vec::new();
        for known in [&honest, &other] {
            let actor = rig.actor("caller", &[PROBE]).await;
            rig.link(&actor, PROBE, &known.id, &[]).await.expect("links may come first");
            callers.push(actor);
        }
        let callers = callers.try_into().expect("two");
        let scene = Self { rig, given, archives, honest, other, callers };
        How::Renamed.put(&scene.path(), &scene.archives.honest);
        scene
    }

    fn path(&self) -> PathBuf {
        self.given.join("provider.par")
    }

    /// Starts what the manifest names.
    async fn apply(&self) -> Result<(), HostError> {
        let text = "capabilities: [{image_ref: ./provider.par}]";
        let path = self.given.join("manifest.yaml");
        fs::write(&path, text).expect("it can be written");
        let manifest = HostManifest::from_path(&path, &|_| None).expect("a good manifest");
        self.rig.host.apply_manifest(manifest).await
    }

    /// What runs is one of the two, and answers as that one does. Returns which, and its process.
    async fn verified(&self) -> (&Known, u32) {
        let rows = self.rig.ps().await.providers;
        let own = [&self.honest, &self.other];
        let known = own
            .iter()
            .zip(&self.callers)
            .filter_map(|(known, caller)| rows.iter().find(|row| row.id == known.id).map(|row| (*known, caller, row)));
        let [(known, caller, row)] = known.collect::<Vec<_>>().try_into().expect("one of them runs");
        let answer = self.rig.forward(caller, PROBE, "Wait", &json!(0)).await.expect("it answers");
        assert_eq!((&*row.name, &*answer), (known.name, known.answer), "{row:?} is not what was verified");
        (known, row.pid.expect("it has a process"))
    }

    /// No file of the host could be run or opened as a library, and none holds a piece of this one.
    fn nothing_lies_about(&self) {
        let mut folders = vec![std::env::temp_dir()];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("it can be read").flatten() {
                let (path, kind) = (entry.path(), entry.file_type().expect("it has a type"));
                if kind.is_dir() && path != self.given {
                    folders.push(path);
                } else if kind.is_file() {
                    files += 1;
                    let mode = entry.metadata().expect("it has a mode").permissions().mode();
                    let bytes = fs::read(&path).expect("it can be read");
                    let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
                    assert_eq!(mode & 0o111, 0, "{} may be executed", path.display());
                    assert!(!bytes.starts_with(b"\x7fELF") && !has(b"waited") && !has(b"WAITED"), "{}", path.display());
                }
            }
        }
        assert!(files > 0, "the host keeps its state there");
    }
}

/// The library of a process is mapped from sealed memory, and nothing is that the host's machine does not bring along.
fn mapped_from_memory_only(pid: u32) {
    let maps = match fs::read_to_string(format!("/proc/{pid}/maps")) {
        Ok(maps) => maps,
        // It can't be dumped, not even by its own user.
        Err(_) if !nix::unistd::geteuid().is_root() => {
            return eprintln!("NOT TESTED: where its code is mapped from, which only root may look at");
        }
        Err(error) => panic!("root may look: {error}"),
    };
    let shim = artifacts::shim().canonicalize().expect("it is there").display().to_string();
    let (mut executable, mut strange) = (0, Vec::new());
    for line in maps.lines() {
        let mut fields = line.split_whitespace().skip(1);
        let rights = fields.next().expect("a mapping has rights");
        let path = fields.skip(3).collect::<Vec<_>>().join(" ");
        if path == "/memfd:cofferdam-lanes (deleted)" {
            assert!(!rights.contains('x'), "{line}");
        } else if path == "/memfd:cofferdam-provider (deleted)" {
            executable += usize::from(rights.contains('x'));
            assert!(!(rights.contains('w') && rights.contains('s')), "{line}");
        } else if path.starts_with('/') && path != shim && !path.starts_with("/lib") && !path.starts_with("/usr/lib") {
            strange.push(line);
        }
    }
    assert!(executable > 0, "the library is mapped from its memory: {maps}");
    assert_eq!(strange, Vec::<&str>::new());
}

#[test]
fn what_is_swapped_while_it_is_loaded_is_refused_or_was_verified() {
    alone("swapped::what_is_swapped_while_it_is_loaded_is_refused_or_was_verified", || async {
        let scene = Scene::start().await;
        let Archives { honest, other, forged } = scene.archives.clone();
        let turns = vec![
            (How::Renamed, forged.clone()),
            (How::Overwritten, honest.clone()),
            (How::Renamed, other.clone()),
            (How::Renamed, honest.clone()),
            (How::Overwritten, forged),
            (How::Rewritten, other.clone()),
            (How::Rewritten, honest),
            (How::Overwritten, other),
        ];
        let (began, swapper) = (Instant::now(), Swapper::begin(scene.path(), turns));
        let (mut honest, mut other, mut refused) = (0, 0, 0);
        while honest + other + refused < STARTS_MIN || honest.min(other).min(refused) < OUTCOMES_MIN {
            assert!(began.elapsed() < LONG, "{honest} honest, {other} other, {refused} refused");
            match scene.apply().await {
                // Of a file that was cut short, read half, or is not what its claims say.
                Err(HostError::Claims(_)) => refused += 1,
                Err(error) => panic!("{error}"),
                Ok(()) => {
                    let (known, pid) = scene.verified().await;
                    *(if known.id == scene.honest.id { &mut honest } else { &mut other }) += 1;
                    mapped_from_memory_only(pid);
                    let stopped = scene.rig.host.stop_provider(&known.id, PROBE, None).await;
                    stopped.expect("it can be stopped");
                }
            }
        }
        drop(swapper);
        scene.nothing_lies_about();
        eprintln!("{honest} honest, {other} other, {refused} refused in {:?}", began.elapsed());
        scene.rig.host.stop().await;
    });
}

#[test]
fn what_is_swapped_between_a_death_and_a_restart_is_not_looked_at() {
    alone("swapped::what_is_swapped_between_a_death_and_a_restart_is_not_looked_at", || async {
        let scene = Scene::start().await;
        scene.apply().await.expect("an honest archive starts");
        let Archives { other, forged, .. } = scene.archives.clone();
        let turns = vec![
            (How::Renamed, forged.clone()),
            (How::Overwritten, other.clone()),
            (How::Renamed, other),
            (How::Rewritten, forged),
        ];
        let swapper = Swapper::begin(scene.path(), turns);
        for generation in 1..=DEATHS {
            let pid = scene.rig.ready_pid(&scene.honest.id, generation).await;
            signal(pid, Signal::SIGKILL);
            scene.rig.ready_pid(&scene.honest.id, generation + 1).await;
            let (known, pid) = scene.verified().await;
            assert_eq!(known.id, scene.honest.id, "it is what was started first");
            mapped_from_memory_only(pid);
            scene.nothing_lies_about();
        }
        drop(swapper);
        fs::remove_dir_all(&scene.given).expect("it can be removed");
        signal(scene.rig.ready_pid(&scene.honest.id, DEATHS + 1).await, Signal::SIGKILL);
        scene.rig.ready_pid(&scene.honest.id, DEATHS + 2).await;
        scene.verified().await;
        scene.rig.host.stop().await;
    });
}
