//! The artifact cache: what is found again, and what is not believed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use std::time::Duration;

use cofferdam_claims::{ActorClaims, KeyKind, sign_actor};

use super::super::ArtifactCacheConfig;
use super::*;

fn runtime(dir: &Path, key: u8) -> ActorRuntime {
    let cache = Some(ArtifactCacheConfig { dir: dir.to_owned(), key: [key; 32] });
    ActorRuntime::new(ActorRuntimeConfig { cache }).unwrap()
}

fn works(runtime: &ActorRuntime, wasm: &[u8]) {
    let actor = runtime.load(spec(wasm, limits(1)), Arc::new(Nowhere)).unwrap();
    assert_eq!(show(call(&actor, "Ok", b"")), "ok ok");
    let shown = show(call_within(&actor, "Loop", b"", Duration::from_millis(20)));
    assert!(shown.contains("ran out of fuel"), "the meter is in the cached code as well: {shown}");
}

fn artifacts(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn an_artifact_is_used_again_and_never_believed_when_it_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("deep/artifacts");
    let wasm = wat_guest("faults.wat");
    works(&runtime(&cache, 1), &wasm);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let [(path, good)] = &artifacts(&cache)[..] else { panic!("one artifact") };
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);

    // A hit leaves the file as it is: the same inode.
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(path);
    works(&runtime(&cache, 1), &wasm);
    assert_eq!(inode(path), before);

    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let damaged = [
        flipped(0),
        flipped(8),
        flipped(40),
        flipped(good.len() - 1),
        good[..good.len() / 2].to_vec(),
        vec![],
        vec![0; 39],
    ];
    for bytes in damaged {
        fs::write(path, &bytes).unwrap();
        works(&runtime(&cache, 1), &wasm);
        assert_ne!(fs::read(path).unwrap(), bytes, "it was replaced by a good one");
    }

    // Under another key nothing of it is believed; and a genuine artifact of another module is not either.
    let before = inode(path);
    works(&runtime(&cache, 2), &wasm);
    assert_ne!(inode(path), before);
    let other = runtime(&cache, 2);
    drop(other.load(spec(&wat_guest("bulk.wat"), limits(1)), Arc::new(Nowhere)).unwrap());
    let files = artifacts(&cache);
    assert_eq!(files.len(), 2);
    fs::write(&files[0].0, &files[1].1).unwrap();
    fs::write(&files[1].0, &files[0].1).unwrap();
    works(&other, &wasm);
}

/// Loads and calls it, and returns the names of all artifacts.
fn loaded(runtime: &ActorRuntime, dir: &Path, wasm: &[u8], metering: Metering) -> Vec<PathBuf> {
    let actor = runtime.load(ActorSpec { metering, ..spec(wasm, limits(1)) }, Arc::new(Nowhere)).unwrap();
    assert_eq!(show(call(&actor, "Ok", b"")), "ok ok");
    artifacts(dir).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn what_was_signed_anew_is_not_compiled_anew_and_other_code_is() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path(), 1);
    let text = |more: &str| {
        let answer = r#"(import "wapc" "__guest_response" (func $answer (param i32 i32)))"#;
        let call = r#"(func (export "__guest_call") (param i32 i32) (result i32)"#;
        let body = "(call $answer (i32.const 0) (i32.const 2)) (i32.const 1))";
        wat::parse_str(format!(
            r#"(module {answer} (memory (export "memory") 1) {call} {body} (data (i32.const 0) "ok") {more})"#
        ))
        .unwrap()
    };
    let code = text("");
    let signed = |name: &str, code: &[u8]| {
        let (account, module) = (KeyKind::Account.generate(), KeyKind::Actor.generate());
        let claims = ActorClaims { name: name.to_owned(), ..ActorClaims::default() };
        sign_actor(name, code, claims, &account, &module).unwrap()
    };
    // Another signer, another actor, another name: the same code.
    let signed_twice = [signed("one", &code), signed("another, with a longer name", &code)];
    assert_ne!(signed_twice[0], signed_twice[1]);
    let first = loaded(&runtime, dir.path(), &signed_twice[0], Metering::On);
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let compiled = inode(&first[0]);
    for again in [&signed_twice[1], &signed_twice[0], &code] {
        assert_eq!(loaded(&runtime, dir.path(), again, Metering::On), first, "an artifact more");
        assert_eq!(inode(&first[0]), compiled, "it was compiled again");
    }
    // What differs in anything but the token has an artifact of its own: code, data, and other custom sections, of which
    // the names of functions are shown by errors.
    let others = [
        text("(func)"),
        text(r#"(data (i32.const 9) "x")"#),
        text(r#"(@custom "jwt2" "x")"#),
        text(r#"(@custom "name2" "x")"#),
    ];
    for (count, other) in (2..).zip(&others) {
        assert_eq!(loaded(&runtime, dir.path(), &signed("other", other), Metering::On).len(), count);
    }
}

#[test]
fn metered_and_unmetered_code_never_mix() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = wat_guest("faults.wat");
    // Either may come first; each finds its own again.
    for key in [1, 2] {
        let (dir, runtime) = (dir.path().join(key.to_string()), runtime(&dir.path().join(key.to_string()), key));
        let order = if key == 1 { [Metering::On, Metering::Off] } else { [Metering::Off, Metering::On] };
        for (count, metering) in (1..).zip(order) {
            assert_eq!(loaded(&runtime, &dir, &wasm, metering).len(), count, "{metering:?}");
        }
        assert_eq!(loaded(&runtime, &dir, &wasm, Metering::Off).len(), 2);
        works(&runtime, &wasm);
        // A genuine artifact under the other's name is not believed.
        let files = artifacts(&dir);
        fs::write(&files[0].0, &files[1].1).unwrap();
        fs::write(&files[1].0, &files[0].1).unwrap();
        works(&runtime, &wasm);
    }
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        let cache = Some(ArtifactCacheConfig { dir: path.to_owned(), key: [0; 32] });
        ActorRuntime::new(ActorRuntimeConfig { cache }).map(|_| ()).unwrap_err().to_string()
    };
    for mode in [0o720, 0o702, 0o777] {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(refused(dir.path()).contains("lets others write to it; make it 0700"));
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    runtime(dir.path(), 0);
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(refused(&file).contains("it cannot be made"));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link).unwrap();
    assert!(refused(&link).contains("it is not a directory"));
}
