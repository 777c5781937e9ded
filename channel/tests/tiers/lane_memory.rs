//! What lanes take of memory: what calls use, and not for long after.

use nix::sys::stat::fstat;

use super::rig::{LONG, PAYLOAD_BYTES_MAX, lanes_between, regions};

#[test]
fn memory_that_no_call_needs_any_more_is_given_back() {
    // Whichever side calls: it knows which lanes are free.
    for caller in [0, 1] {
        let regions = regions();
        let memory = regions[0].memory().unwrap().try_clone_to_owned().unwrap();
        let held = || fstat(&memory).unwrap().st_blocks * 512;
        let rig = lanes_between(regions[caller].clone(), regions[1 - caller].clone(), 8, |_| unreachable!());
        let payload = vec![7; PAYLOAD_BYTES_MAX as usize];
        let large = i64::from(PAYLOAD_BYTES_MAX);
        for _ in 0..2 {
            assert_eq!(rig.call("Echo", &payload, LONG).unwrap(), payload);
            assert!(held() > 2 * large, "{} bytes, for argument and answer", held());
            let client = rig.client.blocking();
            client.give_back();
            assert!(held() > 2 * large, "it was used a moment ago: {} bytes", held());
            client.give_back();
            assert!(held() < large / 4, "{} bytes of slabs that nobody uses", held());
        }
        // While a call runs its lane is not free.
        let holding = rig.begin("Hold", LONG);
        rig.wait_until_begun();
        (0..3).for_each(|_| rig.client.blocking().give_back());
        rig.release.send(()).unwrap();
        assert_eq!(holding.join().unwrap(), Ok(vec![0]));
    }
}
