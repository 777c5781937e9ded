//! Who a provider becomes when the host is root: a user id of its own, that owns its directory and nothing else.
//!
//! The id is remembered by the owner of the directory, and nowhere else. It comes from a range that distributions leave
//! alone (systemd's `UIDS-GIDS` calls it unused).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cofferdam_channel::protocol::control::Identity;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, fchown, fchownat, geteuid};
use parking_lot::Mutex;

/// Above the users of containers (524288 to 1879048191), below what is no user id for everybody.
const RANGE: Range<u32> = 1_879_048_192..1_879_048_192 + (1 << 20);

/// Of a smaller space of users, such as a container's, the last ones but these, which are `nobody` and its like.
const LAST_SPARED: u32 = 16;

/// Directories deeper than this are no provider's of ours.
const DEPTH_MAX: u32 = 64;

/// What is looked at in a directory that is its provider's already.
const MENDED_MAX: usize = 10_000;

/// Two providers that start at once must not take the same id.
static CHOOSING: Mutex<()> = Mutex::new(());

/// Who the provider of `dir` becomes; none when the host is nobody itself. Gives the directory to it.
pub(super) fn for_directory(dir: &Path, all: &Path) -> io::Result<Option<Identity>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let range = usable(&fs::read_to_string("/proc/self/uid_map")?);
    let turn = CHOOSING.lock();
    let owner = fs::symlink_metadata(dir)?.uid();
    let uid = if range.contains(&owner) { owner } else { choose(&range, &taken(all)?, dir)? };
    let opened = || io::Result::Ok(File::from(open(dir, DIRECTORY, Mode::empty())?));
    if uid == owner {
        drop(turn);
        // Without a sandbox it may have made files as root. How much lies there is up to it, so this has a bound.
        let mended = give(&opened()?, uid, DEPTH_MAX, &mut { MENDED_MAX });
        mended.unwrap_or_else(|error| tracing::warn!(dir = %dir.display(), %error, "not all of it is the provider's"));
    } else {
        give(&opened()?, uid, DEPTH_MAX, &mut { usize::MAX })?;
    }
    Ok(Some(Identity { uid, gid: uid }))
}

/// Some user of the range, to try things with; none when the host is nobody itself, or there is none.
pub(super) fn anybody() -> Option<Identity> {
    let range = usable(&fs::read_to_string("/proc/self/uid_map").ok()?);
    let uid = range.last().filter(|_| geteuid().is_root())?;
    Some(Identity { uid, gid: uid })
}

/// The range, or as much as there is in a smaller space of users.
fn usable(uid_map: &str) -> Range<u32> {
    let mapped = |line: &str| {
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
        let (first, _outside, count) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some(first..first.saturating_add(count))
    };
    let spaces: Vec<Range<u32>> = uid_map.lines().filter_map(mapped).collect();
    if spaces.iter().any(|space| space.start <= RANGE.start && RANGE.end <= space.end) {
        return RANGE;
    }
    let largest = spaces.into_iter().max_by_key(|space| space.end - space.start).unwrap_or(0..0);
    let end = largest.end.saturating_sub(LAST_SPARED);
    let start = largest.start.max(end.saturating_sub((largest.end - largest.start) / 2));
    // Never root.
    let start = start.max(1);
    start..end.max(start)
}

/// Starts where its name leads, so that two hosts rarely choose alike.
fn choose(range: &Range<u32>, taken: &BTreeSet<u32>, dir: &Path) -> io::Result<u32> {
    if range.is_empty() {
        return Err(io::Error::other("there is no user id for it: the host's user namespace has too few"));
    }
    let hash = blake3::hash(dir.as_os_str().as_encoded_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    let size = range.end - range.start;
    let first = u32::from_le_bytes([a, b, c, d]) % size;
    let candidates = (first..size).chain(0..first).map(|offset| range.start + offset);
    let free = candidates.into_iter().find(|uid| !taken.contains(uid));
    free.ok_or_else(|| io::Error::other("every user id for providers is taken"))
}

/// Who owns the directories of the other providers.
fn taken(all: &Path) -> io::Result<BTreeSet<u32>> {
    let mut owners = BTreeSet::new();
    for provider in fs::read_dir(all)? {
        for link in fs::read_dir(provider?.path())? {
            owners.insert(link?.metadata()?.uid());
        }
    }
    Ok(owners)
}

/// Changes the owner of a directory and all that lies in it, without following a link anywhere. It goes from descriptor
/// to descriptor: what somebody puts in the place of a directory meanwhile is not what was opened. `entries_max` is what it
/// may look at.
fn give(dir: &File, uid: u32, depth: u32, entries_max: &mut usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("a directory of its own lies too deep in others"));
    }
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)));
    for entry in fs::read_dir(format!("/proc/self/fd/{}", dir.as_raw_fd()))? {
        *entries_max = entries_max.checked_sub(1).ok_or_else(|| io::Error::other("too much lies in it"))?;
        let name = entry?.file_name();
        match openat(dir, name.as_os_str(), DIRECTORY, Mode::empty()) {
            Ok(below) => give(&File::from(below), uid, depth - 1, entries_max)?,
            // A link is neither followed nor a directory.
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                fchownat(dir, name.as_os_str(), owner.0, owner.1, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(fchown(dir, owner.0, owner.1)?)
}

const DIRECTORY: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_what_the_space_of_users_has() {
        for (map, range) in [
            ("         0          0 4294967295\n", RANGE),
            ("0 100000 65536\n", 32752..65520),
            ("0 1000 1\n", 1..1),
            ("0 1000 1\n1 100000 65536\n", 32753..65521),
            ("", 1..1),
            ("nonsense\n", 1..1),
        ] {
            assert_eq!(usable(map), range, "{map:?}");
        }
    }

    #[test]
    fn a_directory_is_given_without_what_its_links_lead_to() {
        if !geteuid().is_root() {
            eprintln!("only root can give anything away");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let (own, other) = (place.path().join("own"), place.path().join("other"));
        fs::create_dir_all(own.join("below")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(own.join("below/file"), "").unwrap();
        fs::write(other.join("file"), "").unwrap();
        for (to, name) in [(&other, "to-directory"), (&other.join("file"), "to-file")] {
            std::os::unix::fs::symlink(to, own.join(name)).unwrap();
        }
        let open = |path: &Path| open(path, DIRECTORY, Mode::empty());
        give(&File::from(open(&own).unwrap()), RANGE.start, DEPTH_MAX, &mut 5).unwrap();
        for (path, uid) in [
            (own.clone(), RANGE.start),
            (own.join("below/file"), RANGE.start),
            (own.join("to-directory"), RANGE.start),
            (other.clone(), 0),
            (other.join("file"), 0),
        ] {
            assert_eq!(fs::symlink_metadata(&path).unwrap().uid(), uid, "{}", path.display());
        }
        assert!(open(&own.join("to-directory")).is_err(), "a link in its place is no directory");
        for (depth, mut entries) in [(1, 5), (DEPTH_MAX, 3)] {
            let given = give(&File::from(open(&own).unwrap()), RANGE.start, depth, &mut entries);
            assert!(given.is_err(), "it lies too deep, or too much lies there");
        }
        // What was made meanwhile without a sandbox is its own, too.
        let all = place.path().to_owned();
        fs::write(own.join("below/later"), "").unwrap();
        let identity = for_directory(&own, &all).unwrap().unwrap();
        let later = fs::symlink_metadata(own.join("below/later")).unwrap();
        assert_eq!((identity.uid, later.uid()), (RANGE.start, RANGE.start));
    }

    #[test]
    fn no_id_is_given_twice() {
        let (mut taken, range) = (BTreeSet::new(), 10..14);
        for _ in 0..4 {
            let uid = choose(&range, &taken, Path::new("/a")).unwrap();
            assert!(range.contains(&uid) && taken.insert(uid));
        }
        assert!(choose(&range, &taken, Path::new("/a")).is_err());
        assert!(choose(&(1..1), &taken, Path::new("/a")).is_err());
    }
}
