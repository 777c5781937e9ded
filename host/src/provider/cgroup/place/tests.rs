//! Systems as they are found: version 2 under systemd, version 1, both, a container, and none.

use super::*;

const V1: &str = "\
25 20 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
30 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
31 25 0:28 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory
32 25 0:29 / /sys/fs/cgroup/pids rw,nosuid shared:11 - cgroup cgroup rw,pids
33 25 0:30 / /sys/fs/cgroup/unified rw,nosuid shared:12 - cgroup2 cgroup2 rw,nsdelegate";

const V2: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 25 0:27 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";

/// Its name, what the kernel says of the process and of its mounts, and what is found or missing.
type Case = (&'static str, &'static str, &'static str, Result<Place, Vec<Controller>>);

fn part(controllers: &[Controller], dir: &str) -> Part {
    Part { controllers: controllers.to_vec(), dir: dir.into() }
}

#[test]
fn the_own_group_is_found_in_every_layout() {
    use Controller::{Cpu, Memory, Pids};
    let v2 = |own: &str| Ok(Place::V2 { own: own.into(), mount: "/sys/fs/cgroup".into() });
    let missing = |missing: &[Controller]| Err(missing.to_vec());
    let cases: &[Case] = &[
        (
            "version 2, a service",
            "0::/system.slice/cofferdam.service\n",
            V2,
            v2("/sys/fs/cgroup/system.slice/cofferdam.service"),
        ),
        ("version 2, the root", "0::/\n", V2, v2("/sys/fs/cgroup")),
        ("version 2, moved out of its namespace", "0::/../other\n", V2, missing(&Controller::ALL)),
        (
            "version 1, beside an empty version 2",
            "4:memory:/a b\n3:cpu,cpuacct:/a b\n2:pids:/\n1:name=systemd:/x\n0::/x\n",
            V1,
            Ok(Place::V1(vec![
                part(&[Memory], "/sys/fs/cgroup/memory/a b"),
                part(&[Pids], "/sys/fs/cgroup/pids"),
                part(&[Cpu], "/sys/fs/cgroup/cpu,cpuacct/a b"),
            ])),
        ),
        ("version 1 without pids", "4:memory:/a\n3:cpu,cpuacct:/a\n0::/x\n", V1, missing(&[Pids])),
        (
            "version 1, one hierarchy for all",
            "4:cpu,memory,pids:/a\n",
            "31 25 0:28 / /all\\040groups rw - cgroup cgroup rw,cpu,memory,pids",
            Ok(Place::V1(vec![part(&[Memory, Pids, Cpu], "/all groups/a")])),
        ),
        (
            "a container sees its own part",
            "0::/docker/c0ffee/inner\n",
            "30 25 0:27 /docker/c0ffee /sys/fs/cgroup ro - cgroup2 cgroup rw",
            v2("/sys/fs/cgroup/inner"),
        ),
        (
            "a container sees somebody else's part",
            "0::/docker/c0ffee\n",
            "30 25 0:27 /docker/decaf /sys/fs/cgroup ro - cgroup2 cgroup rw",
            missing(&Controller::ALL),
        ),
        ("nothing is mounted", "0::/\n", "22 1 8:1 / / rw - ext4 /dev/sda1 rw", missing(&Controller::ALL)),
        ("nothing at all", "", "", missing(&Controller::ALL)),
        ("no sense", "x\n:\n", "1 2 3\n - \n - a b", missing(&Controller::ALL)),
    ];
    for (name, cgroup, mountinfo, expected) in cases {
        let found = find(cgroup, mountinfo).map_err(|error| match error {
            CgroupError::NoController { missing } => missing,
            error => panic!("{name}: {error}"),
        });
        assert_eq!(&found, expected, "{name}");
    }
}

#[test]
fn a_member_is_known_by_the_end_of_its_path() {
    let memory = part(&[Controller::Memory], "/sys/fs/cgroup/memory/a/home/7");
    let both = part(&[Controller::Memory, Controller::Cpu], "/sys/fs/cgroup/both/a/home/7");
    let cases = [
        (&memory, "4:memory:/a/home/7\n", true),
        (&memory, "4:memory:/a/home/17\n", false),
        (&memory, "4:memory:/a/home\n3:cpu:/a/home/7\n", false),
        (&memory, "0::/a/home/7\n", true),
        (&both, "4:cpu,memory:/a/home/7\n", true),
        (&both, "4:memory:/a/home/7\n", false),
        (&memory, "", false),
    ];
    for (part, cgroup, expected) in cases {
        assert_eq!(is_member(cgroup, part, Path::new("home/7")), expected, "{part:?} {cgroup:?}");
    }
}

#[test]
fn who_ends_is_known_by_its_state_or_its_mark() {
    let cases = [
        ("7 (sh) Z 1 7 7 0 -1 4228108 0", true),
        ("7 (a) Z b) Z 1 7 7 0 -1 0 0", true),
        ("7 (sh) R 1 7 7 0 -1 4194564 0", true),
        ("7 (sh) S 1 7 7 0 -1 4194304 0", false),
        ("7 (Z) S 4 4 4 4 4 0 4", false),
        ("7 (sh) S", false),
        ("", false),
    ];
    for (stat, expected) in cases {
        assert_eq!(is_ending(stat), expected, "{stat}");
    }
}
