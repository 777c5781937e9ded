//! A full disk: whoever needs it is told, nothing that was acknowledged is lost or torn, and all goes on when there is room.
//!
//! The disk is a small tmpfs, which only root may mount. Without it there is nothing to test, and that is said.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use cofferdam_host::HostBuilder;
use cofferdam_tests::golden::show_error;
use cofferdam_tests::process::{signal, until};
use cofferdam_tests::{Rig, artifacts, payload};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

const KEYVALUE: &str = "wasmcloud:keyvalue";
const DISK_BYTES: usize = 24 << 20;

/// A disk of its own.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// None where this user may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let options = format!("size={DISK_BYTES},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).status();
        let disk = mounted.is_ok_and(|status| status.success()).then_some(Self { folder });
        if disk.is_none() {
            eprintln!("NOT TESTED: a tmpfs can't be mounted here");
        }
        disk
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).expect("a file takes no room");
        for bytes in [1 << 20, 4096, 1] {
            while ballast.write(&vec![0; bytes]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("it is there");
    }

    /// Compiled actors, and what is left of attempts to keep one.
    fn artifacts(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state_dir().join("artifacts")).expect("a host has made it").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, for a process of the test may still be ending.
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_says_so_and_starts_when_there_is_room() {
    let Some(disk) = Disk::mount() else { return };
    disk.fill();
    let host = HostBuilder::new().with_state_dir(disk.state_dir()).with_shim(artifacts::shim()).build();
    let error = host.start().await.expect_err("there is no room for its state");
    let shown = show_error(&error).replace(&disk.state_dir().display().to_string(), "DIR");
    assert!(shown.starts_with("state_unusable: ") && shown.contains("No space left"), "{shown}");
    disk.make_room();
    host.start().await.expect("there is room");
    let id = host.id();
    host.stop().await;
    drop(host);
    disk.fill();
    let full = HostBuilder::new().with_state_dir(disk.state_dir()).with_shim(artifacts::shim()).build();
    let _ = full.start().await;
    disk.make_room();
    full.start().await.expect("there is room");
    assert_eq!(full.id(), id, "the key is whole");
    full.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_starts_without_its_artifact() {
    let Some(disk) = Disk::mount() else { return };
    let rig = Rig::start_with(|builder| builder.with_state_dir(disk.state_dir())).await;
    let actor = artifacts::actor("echo", &[]);
    for (full, kept) in [(true, 0), (false, 1)] {
        if full {
            disk.fill();
        }
        let id = rig.start_actor(actor.clone()).await;
        assert_eq!(disk.artifacts().len(), kept, "{:?}", disk.artifacts());
        rig.host.stop_actor(&id).await.expect("it can be stopped");
        if full {
            disk.make_room();
        }
    }
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_says_so_and_keeps_what_it_acknowledged() {
    let Some(disk) = Disk::mount() else { return };
    let rig = Rig::start_with(|builder| builder.with_state_dir(disk.state_dir())).await;
    let actor = rig.actor("caller", &[KEYVALUE]).await;
    let store = rig.provider("keyvalue", KEYVALUE).await;
    rig.link(&actor, KEYVALUE, &store, &[]).await.expect("the store accepts");
    let value = "v".repeat(256 << 10);
    let set = async |key: usize| {
        let argument = json!({ "key": key.to_string(), "value": value, "expires": 0 });
        rig.forward(&actor, KEYVALUE, "Set", &argument).await
    };
    let is_whole = async |key: usize| {
        let got = rig.forward(&actor, KEYVALUE, "Get", &json!({ "key": key.to_string() })).await;
        got.is_ok_and(|answer| payload::unpack(&answer)["value"] == Value::String(value.clone()))
    };
    set(0).await.expect("there is room");
    disk.fill();
    let mut acknowledged = 0;
    let error = loop {
        match set(acknowledged + 1).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged * value.len() < DISK_BYTES, "a full disk takes no more than itself");
    };
    let shown = show_error(&error);
    assert!(shown.contains("provider V… (link default) answered Set with an error: "), "{shown}");
    assert!(shown.contains("No space left"), "{shown}");
    until("what was acknowledged can be read", async || is_whole(0).await && is_whole(acknowledged).await).await;

    disk.make_room();
    until("there is room", async || set(acknowledged + 1).await.is_ok()).await;
    let pid = rig.ready_pid(&store, 1).await;
    signal(pid, Signal::SIGKILL);
    rig.ready_pid(&store, 2).await;
    for key in 0..=acknowledged + 1 {
        assert!(is_whole(key).await, "value {key} of {acknowledged} is lost");
    }
    rig.host.stop().await;
}
