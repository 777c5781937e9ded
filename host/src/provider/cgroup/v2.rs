//! Version 2: below which group this host may make its own, and what has to be done before.
//!
//! A group hands controllers down to its children only while it holds no process itself. So a host moves into a leaf,
//! and only where the group was delegated to it and nobody else is in it.

use std::path::{Path, PathBuf};

use super::error::CgroupError;
use super::files::read;
use super::place::Controller;

/// Where the groups go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Its children have what is needed.
    Ready(PathBuf),
    /// It holds no process: it can be told to hand its controllers down.
    Enable(PathBuf),
    /// The same, once this host has moved into a leaf of it.
    MoveOut(PathBuf),
}

/// What can't be seen in the files of a group.
pub(super) struct Facts<'a> {
    /// Whether whoever manages the groups has left this one to others.
    pub(super) is_delegated: &'a dyn Fn(&Path) -> bool,
    /// This process.
    pub(super) pid: u32,
}

/// What hands all controllers down to the children of a group.
pub(super) fn hand_down() -> String {
    Controller::ALL.map(|controller| format!("+{}", controller.word())).join(" ")
}

/// The host's own group, else the one above: there a host is that systemd put into a leaf (`DelegateSubgroup`), or that
/// has moved into one itself.
pub(super) fn anchor(own: &Path, mount: &Path, facts: &Facts<'_>) -> Result<Anchor, CgroupError> {
    let top = own == mount;
    // The root of all groups may hold processes and hand controllers down. It has no type.
    let is_root = top && !own.join("cgroup.type").exists();
    if is_root && hands_down(own)? {
        return Ok(Anchor::Ready(own.to_owned()));
    }
    // The root of a namespace was made for whoever is in it.
    if (top && !is_root) || (facts.is_delegated)(own) {
        return own_group(own, facts.pid);
    }
    match own.parent() {
        Some(parent) if !top && (facts.is_delegated)(parent) => parent_group(parent),
        _ => Err(CgroupError::NotDelegated { group: own.to_owned() }),
    }
}

fn own_group(own: &Path, pid: u32) -> Result<Anchor, CgroupError> {
    has_controllers(own)?;
    match processes(own)?.into_iter().find(|other| *other != pid) {
        Some(pid) => Err(CgroupError::Shared { group: own.to_owned(), pid }),
        None => Ok(Anchor::MoveOut(own.to_owned())),
    }
}

fn parent_group(parent: &Path) -> Result<Anchor, CgroupError> {
    if hands_down(parent)? {
        return Ok(Anchor::Ready(parent.to_owned()));
    }
    has_controllers(parent)?;
    match processes(parent)?.first() {
        Some(pid) => Err(CgroupError::Shared { group: parent.to_owned(), pid: *pid }),
        None => Ok(Anchor::Enable(parent.to_owned())),
    }
}

fn has_controllers(group: &Path) -> Result<(), CgroupError> {
    let missing = missing_in(&read(&group.join("cgroup.controllers"))?);
    if missing.is_empty() { Ok(()) } else { Err(CgroupError::NoController { missing }) }
}

fn hands_down(group: &Path) -> Result<bool, CgroupError> {
    Ok(missing_in(&read(&group.join("cgroup.subtree_control"))?).is_empty())
}

fn missing_in(list: &str) -> Vec<Controller> {
    let has = |controller: &Controller| list.split_whitespace().any(|word| word == controller.word());
    Controller::ALL.into_iter().filter(|controller| !has(controller)).collect()
}

/// Those of other pid namespaces are shown as 0.
fn processes(group: &Path) -> Result<Vec<u32>, CgroupError> {
    let list = read(&group.join("cgroup.procs"))?;
    Ok(list.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ALL: &str = "cpuset cpu io memory pids\n";
    const SOME: &str = "memory pids\n";

    /// A group that a test fabricates: controllers, those that are handed down, processes.
    struct Group(&'static str, &'static str, &'static str, &'static str);

    fn check(name: &str, groups: &[Group], delegated: &[&str], own: &str, expected: &str) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |path: &str| if path.is_empty() { folder.path().to_owned() } else { folder.path().join(path) };
        for Group(path, controllers, handed_down, processes) in groups {
            fs::create_dir_all(at(path)).expect("it can be made");
            for (file, text) in [("controllers", controllers), ("subtree_control", handed_down), ("procs", processes)] {
                fs::write(at(path).join(format!("cgroup.{file}")), text).expect("it can be written");
            }
            if !path.is_empty() {
                fs::write(at(path).join("cgroup.type"), "domain\n").expect("it can be written");
            }
        }
        let is_delegated = |group: &Path| delegated.iter().any(|path| at(path) == group);
        let facts = Facts { is_delegated: &is_delegated, pid: 7 };
        let found = match anchor(&at(own), folder.path(), &facts) {
            Ok(anchor) => format!("{anchor:?}"),
            Err(error) => error.to_string(),
        };
        let found = found.replace(&folder.path().display().to_string(), "TOP");
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn groups_are_made_only_where_nobody_is_surprised() {
        let slice = || Group("system.slice", ALL, ALL, "");
        let top = || Group("", ALL, ALL, "1\n2\n");
        let service = |processes| Group("system.slice/host.service", ALL, "", processes);
        let own = "system.slice/host.service";
        check(
            "a service of its own",
            &[top(), slice(), service("7\n")],
            &[own],
            own,
            r#"MoveOut("TOP/system.slice/host.service")"#,
        );
        check(
            "a service without Delegate=",
            &[top(), slice(), service("7\n")],
            &[],
            own,
            "the control group TOP/system.slice/host.service is not delegated to this host",
        );
        check(
            "a service with another process",
            &[top(), slice(), service("7\n6\n")],
            &[own],
            own,
            "the control group TOP/system.slice/host.service holds other processes than this host, the first of them 6",
        );
        check(
            "a service of a manager that has not all controllers",
            &[top(), slice(), Group(own, SOME, "", "7\n")],
            &[own],
            own,
            "the control groups of this system have no controller for cpu",
        );
        let leaf = "system.slice/host.service/host";
        let in_leaf = || Group(leaf, "", "", "7\n");
        check(
            "DelegateSubgroup=host",
            &[top(), slice(), service(""), in_leaf()],
            &[own],
            leaf,
            r#"Enable("TOP/system.slice/host.service")"#,
        );
        check(
            "a second host in the same process",
            &[top(), slice(), Group(own, ALL, ALL, ""), in_leaf()],
            &[own],
            leaf,
            r#"Ready("TOP/system.slice/host.service")"#,
        );
        check(
            "a leaf beside somebody else",
            &[top(), slice(), service("5\n"), in_leaf()],
            &[own],
            leaf,
            "the control group TOP/system.slice/host.service holds other processes than this host, the first of them 5",
        );
        check("the root, which hands all down", &[top()], &[], "", r#"Ready("TOP")"#);
        check(
            "the root, which would have to be changed",
            &[Group("", ALL, SOME, "1\n7\n")],
            &[],
            "",
            "the control group TOP is not delegated to this host",
        );
    }

    #[test]
    fn the_root_of_a_namespace_is_for_whoever_is_in_it() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for (file, text) in [("type", "domain\n"), ("controllers", ALL), ("subtree_control", ""), ("procs", "7\n")] {
            fs::write(folder.path().join(format!("cgroup.{file}")), text).expect("it can be written");
        }
        let facts = Facts { is_delegated: &|_| false, pid: 7 };
        let found = anchor(folder.path(), folder.path(), &facts).expect("it can be used");
        assert_eq!(found, Anchor::MoveOut(folder.path().to_owned()));
        assert_eq!(hand_down(), "+memory +pids +cpu");
    }
}
