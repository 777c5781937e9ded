//! A test that runs again in a process of its own, perhaps as a user without any right, who can read neither the
//! repository nor what was built: it gets copies.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::artifacts::{self, GUESTS};

/// Set in the process that runs the test: where it leaves what it has to say.
const REPORT: &str = "COFFERDAM_TEST_REPORT";

/// Who runs a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever runs the tests.
    Me,
    /// `nobody`: for whoever is root.
    Nobody,
}

/// `nobody`, by the custom of all distributions.
const NOBODY: u32 = 65534;

/// Who can run tests here, each with the name of what it stands for.
pub fn everybody() -> &'static [(&'static str, Who)] {
    if geteuid().is_root() { &[("root", Who::Me), ("user", Who::Nobody)] } else { &[("user", Who::Me)] }
}

/// Whether this process was started by [`run`]; it leaves its report here.
pub fn report() -> Option<PathBuf> {
    std::env::var_os(REPORT).map(PathBuf::from)
}

/// Runs a test of this program as `who`, with these files of the workspace, and returns its report.
pub fn run(test: &str, who: Who, programs: &[&str], guests: &[&str], environment: &[(&str, &str)]) -> String {
    let place = Place::new(who, programs, guests);
    let report = place.home.join("report");
    let mut child = Command::new(&place.program);
    child.args([test, "--exact", "--nocapture"]).envs(environment.iter().copied());
    child.env("COFFERDAM_BUILT", "1").env(REPORT, &report).env(GUESTS, &place.guests).env("TMPDIR", &place.home);
    child.current_dir(&place.home);
    if who == Who::Nobody {
        child.uid(NOBODY).gid(NOBODY);
    }
    let status = child.status().expect("a test can be run again");
    assert!(status.success(), "{test} failed as {who:?} in its own process, see above");
    fs::read_to_string(report).expect("a test that ran well has left its report")
}

/// Copies that everybody can read, and a folder for whoever runs the test.
struct Place {
    _all: TempDir,
    program: PathBuf,
    guests: PathBuf,
    home: PathBuf,
}

impl Place {
    fn new(who: Who, programs: &[&str], guests: &[&str]) -> Self {
        let all = tempfile::tempdir().expect("a temporary directory");
        let folder = |name: &str| {
            let folder = all.path().join(name);
            fs::create_dir_all(&folder).expect("a folder can be made");
            folder
        };
        // As in target: tests lie in deps, other programs above.
        let (top, deps, guest_folder, home) = (folder("built"), folder("built/deps"), folder("guests"), folder("home"));
        let own = std::env::current_exe().expect("a test knows its own program");
        let program = deps.join(own.file_name().expect("a program has a name"));
        copy(&own, &program);
        for name in programs {
            copy(&artifacts::programs().join(name), &top.join(name));
        }
        for name in guests {
            let name = format!("{name}.wasm");
            copy(&artifacts::root().join("tests/guests/built").join(&name), &guest_folder.join(&name));
        }
        fs::set_permissions(all.path(), Permissions::from_mode(0o755)).expect("it is ours");
        if who == Who::Nobody {
            chown(&home, Some(NOBODY), Some(NOBODY)).expect("root may give away");
        }
        Self { _all: all, program, guests: guest_folder, home }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("copying {}: {error}", from.display()));
    let program = to.extension().is_none();
    let mode = if program { 0o755 } else { 0o644 };
    fs::set_permissions(to, Permissions::from_mode(mode)).expect("it is ours");
}
