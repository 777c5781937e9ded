//! The system calls of one call, on each tier, with host and provider on one processor: there nobody looks for what the other
//! can't do meanwhile, and each has to be woken. With a processor for each there are fewer, down to none.

use std::collections::BTreeMap;

use cofferdam_host::Tier;
use nix::libc;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::tracer::{count, mark, told};
use crate::{CALLS, Scene, TRIES};

const TEST: &str = "system_calls::a_call_makes_no_more_of_them_than_it_says_here";
/// Beside the calls the host does other things: so many of one kind are none for each call.
const BESIDE: f64 = 0.1;

/// By name, for each call.
type Most = &'static [(&'static str, f64)];

/// At most, in the host and in the provider. To be traced is slow, so that each handler counts as a slow one and the socket is
/// handed to another thread before it runs: two of the futexes and the yields, which there are not else.
const EXPECTED: [(&str, Most, Most); 2] = [
    ("lanes", &[("futex", 2.0)], &[("futex", 2.0)]),
    (
        "socket",
        &[("poll", 1.0), ("recv", 2.0), ("send", 1.0)],
        &[("futex", 2.0), ("poll", 1.0), ("recv", 2.0), ("send", 1.0), ("sched_yield", 2.0)],
    ),
];

#[test]
fn a_call_makes_no_more_of_them_than_it_says_here() {
    if let Some(tier) = told() {
        return traced(&tier);
    }
    for (tier, host, provider) in EXPECTED {
        let mut excess = Vec::new();
        for _ in 0..TRIES {
            let counted = count(TEST, tier);
            excess = too_many("the host", &counted.host, host);
            excess.extend(too_many("the provider", &counted.provider, provider));
            if excess.is_empty() {
                break;
            }
        }
        assert!(excess.is_empty(), "{tier}, for each call: {}", excess.join("; "));
    }
}

/// What there is more of than there should be, in words.
fn too_many(side: &str, counted: &BTreeMap<u64, u64>, expected: Most) -> Vec<String> {
    let most = |name: &str| expected.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, most)| *most);
    let too_many = per_call(counted).into_iter().filter(|(name, count)| *count > most(name) + BESIDE);
    too_many.map(|(name, count)| format!("{count} times {name} in {side}, {} are allowed", most(&name))).collect()
}

/// What is counted.
fn traced(tier: &str) {
    let first = |all: CpuSet| (0..CpuSet::count()).find(|number| all.is_set(*number).unwrap_or(false));
    let one = sched_getaffinity(Pid::from_raw(0)).ok().and_then(first).expect("there is a processor");
    let mut only = CpuSet::new();
    only.set(one).expect("it is one");
    // Before there are other threads and processes, which have it from this one.
    sched_setaffinity(Pid::from_raw(0), &only).expect("it is allowed");
    let tier = if tier == "lanes" { Tier::Lanes } else { Tier::Socket };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let scene = Scene::start(tier).await;
        scene.calls(64, 100).await;
        mark(0);
        scene.calls(64, CALLS).await;
        mark(1);
        scene.rig.host.stop().await;
    });
}

fn per_call(counted: &BTreeMap<u64, u64>) -> BTreeMap<String, f64> {
    let mut named = BTreeMap::new();
    for (number, count) in counted {
        *named.entry(name(*number)).or_default() += *count as f64 / f64::from(CALLS);
    }
    named
}

/// Those that the path of a call could have. One is called as its like of other machines are.
fn name(number: u64) -> String {
    match libc::c_long::try_from(number).unwrap_or(-1) {
        libc::SYS_futex => "futex".to_owned(),
        libc::SYS_read | libc::SYS_recvfrom | libc::SYS_recvmsg => "recv".to_owned(),
        libc::SYS_write | libc::SYS_writev | libc::SYS_sendto | libc::SYS_sendmsg => "send".to_owned(),
        libc::SYS_sched_yield => "sched_yield".to_owned(),
        libc::SYS_ppoll => "poll".to_owned(),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => "poll".to_owned(),
        _ => format!("system call {number}"),
    }
}
