//! What is kept, what is not believed, and what goes.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::*;

const ROOM: u64 = 1 << 20;

fn cache(bytes_max: u64) -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(&folder.path().join("cache"), bytes_max).expect("a cache");
    (folder, cache)
}

fn fetched(cache: &Cache, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    let mut partial = cache.partial(digest, bytes.len() as u64).expect("a file");
    assert!(partial.append(bytes).expect("written"));
    assert!(partial.is_whole() && partial.found() == digest);
    partial.commit().expect("in place");
    digest
}

#[test]
fn what_was_changed_is_removed_and_never_given() {
    let (_folder, cache) = cache(ROOM);
    let digest = fetched(&cache, b"abc");
    assert_eq!(cache.read(digest, 3).expect("read"), Some(b"abc".to_vec()));
    fs::write(cache.blob(digest), b"abd").expect("changed");
    assert_eq!(cache.read(digest, 3).expect("read"), None);
    assert!(!cache.blob(digest).exists());
    // One that has grown is not read to its end.
    let digest = fetched(&cache, b"abc");
    fs::write(cache.blob(digest), b"abcd").expect("changed");
    assert_eq!(cache.read(digest, 3).expect("read"), None);
    assert_eq!(cache.keep(b"abc").expect("kept"), digest);
    assert_eq!(cache.read(digest, 3).expect("read"), Some(b"abc".to_vec()));
}

#[test]
fn everything_is_its_users_alone() {
    let (_folder, cache) = cache(ROOM);
    let digest = fetched(&cache, b"abc");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(cache.dir()), mode(&cache.blob(digest))), (0o700, 0o600));
    let kept = cache.keep(b"small").expect("kept");
    assert_eq!(mode(&cache.blob(kept)), 0o600);
    fs::set_permissions(cache.dir(), fs::Permissions::from_mode(0o770)).expect("changed");
    let refused = Cache::open(cache.dir(), ROOM).expect_err("others may write");
    assert!(matches!(refused, CacheError::Unsafe { why: "others may write to it", .. }), "{refused}");
}

#[test]
fn what_was_begun_is_gone_on_with() {
    let (_folder, cache) = cache(ROOM);
    let digest = Digest::of(b"abcdef");
    let mut first = cache.partial(digest, 6).expect("a file");
    assert!(first.append(b"abc").expect("written"));
    // Meanwhile another has a file of its own.
    assert_eq!(cache.partial(digest, 6).expect("another file").bytes(), 0);
    drop(first);
    let mut second = cache.partial(digest, 6).expect("the file again");
    assert_eq!(second.bytes(), 3);
    assert!(!second.append(b"defg").expect("not written"), "one byte too many");
    assert!(second.append(b"def").expect("written"));
    second.commit().expect("in place");
    assert_eq!(cache.read(digest, 6).expect("read"), Some(b"abcdef".to_vec()));
    // What is longer than the whole is no beginning of it.
    fs::write(cache.dir().join(PARTIAL).join(digest.hex()), b"too long").expect("written");
    assert_eq!(cache.partial(digest, 6).expect("emptied").bytes(), 0);
}

#[test]
fn what_was_not_used_for_long_goes_first() {
    let (_folder, cache) = cache(10);
    let (old, used) = (fetched(&cache, b"1234"), fetched(&cache, b"5678"));
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    for digest in [old, used] {
        File::open(cache.blob(digest)).and_then(|file| file.set_modified(long_ago)).expect("set back");
    }
    cache.read(used, 4).expect("read");
    let new = fetched(&cache, b"abcd");
    let there = [old, used, new].map(|digest| cache.blob(digest).exists());
    assert_eq!(there, [false, true, true]);
    // What was fetched last stays, however large it is.
    let large = fetched(&cache, b"more than all of it");
    assert_eq!([used, new, large].map(|digest| cache.blob(digest).exists()), [false, false, true]);
}
