//! A root of its own: the system's libraries, the granted directories, and the processes of its own namespace. All of it
//! is read-only but for directories that may be changed; nothing else is there, not even `/dev`.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cofferdam_channel::protocol::control::{Dir, Network};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use super::libraries;
use super::trees::{Rights, Tree};
use super::{Act, Places, failed, keeps_the_network};

/// Where it is built: any directory that is there on every system. Nobody but us sees it covered.
const SITE: &str = "/tmp";

/// Where granted directories lie inside.
const DIRS: &str = "/dirs";

/// What a library that opens sockets itself reads to find names and trust.
const NETWORK_FILES: [&str; 5] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/ca-certificates"];

/// The mounts it is built from, taken before the paths to them are lost.
pub(super) struct Sources {
    /// What goes where, inside.
    trees: Vec<(PathBuf, Tree, Rights)>,
}

/// A root that was built, and not entered.
pub(super) struct Root {
    _built: (),
}

impl Sources {
    /// Takes copies of what the root will hold.
    pub(super) fn open(places: &Places) -> Act<Self> {
        let mut trees = Vec::new();
        for folder in &places.libraries {
            let tree = Tree::copy(folder).map_err(failed("copying the mount of the system's libraries"))?;
            trees.push((folder.clone(), tree, Rights::Execute));
        }
        for dir in &places.dirs {
            let tree = Tree::copy(Path::new(&dir.path)).map_err(failed("copying the mount of a granted directory"))?;
            let rights = if dir.writable { Rights::Write } else { Rights::Read };
            trees.push((inside(dir).path.into(), tree, rights));
        }
        Ok(Self { trees })
    }

    /// Adds what lies at `path`, if it is there.
    fn add(&mut self, path: &str) {
        if let Ok(tree) = Tree::copy(Path::new(path)) {
            self.trees.push((path.into(), tree, Rights::Read));
        }
    }
}

/// Where a directory of the host lies inside.
pub(super) fn inside(dir: &Dir) -> Dir {
    Dir { path: format!("{DIRS}/{}", dir.name), ..dir.clone() }
}

/// Builds it, beside the root of the host.
pub(super) fn build(mut sources: Sources, network: &Network) -> Act<Root> {
    if keeps_the_network(network) {
        NETWORK_FILES.iter().for_each(|path| sources.add(path));
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // Directories and links only: a few pages and entries are plenty.
    let size = Some("mode=755,size=1m,nr_inodes=1024");
    mount(Some("tmpfs"), SITE, Some("tmpfs"), flags, size).map_err(failed("mounting a tmpfs"))?;
    for (path, tree, rights) in sources.trees {
        let at = at_site(&path);
        make_place(&at, &path).map_err(failed("making a place to mount at"))?;
        tree.restrict(rights)?;
        tree.put(&at)?;
    }
    for (alias, target) in libraries::links() {
        let at = at_site(Path::new(alias));
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent).map_err(failed("making a directory"))?;
        }
        symlink(target, at).map_err(failed("making a symbolic link"))?;
    }
    fs::create_dir_all(at_site(Path::new("/proc"))).map_err(failed("making /proc"))?;
    Ok(Root { _built: () })
}

impl Root {
    /// Makes it the root. The one of the host can't be reached any more.
    pub(super) fn enter(self) -> Act {
        // Our own processes only, and nothing of the system: the library is opened through /proc/self/fd. A kernel
        // refuses it where the /proc of the host is itself covered in parts, as in some containers.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        let own = at_site(Path::new("/proc"));
        mount(Some("proc"), &own, Some("proc"), flags, Some("subset=pid")).map_err(failed("mounting /proc"))?;
        chdir(SITE).map_err(failed("chdir"))?;
        // The old root lands on top of the new one, and is taken away from there.
        pivot_root(".", ".").map_err(failed("pivot_root"))?;
        umount2(".", MntFlags::MNT_DETACH).map_err(failed("unmounting the root of the host"))?;
        chdir("/").map_err(failed("chdir"))?;
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        let flags = flags | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).map_err(failed("making the root read-only"))
    }
}

fn at_site(path: &Path) -> PathBuf {
    Path::new(SITE).join(path.strip_prefix("/").unwrap_or(path))
}

/// A directory or a file to mount at, as what lies at `model` is one.
fn make_place(at: &Path, model: &Path) -> io::Result<()> {
    if !model.is_file() {
        return fs::create_dir_all(at);
    }
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create(at).map(drop)
}
