//! What lies where, and that nothing leads out of it.

use super::*;

fn layout() -> Layout {
    Layout::new(&[Class { lanes: 2, slab_bytes: 100 }, Class { lanes: 1, slab_bytes: 10_000 }]).unwrap()
}

#[test]
fn both_sides_see_the_same() {
    let ours = Region::make(layout()).unwrap();
    let theirs = Region::open(ours.memory().unwrap().try_clone_to_owned().unwrap()).unwrap();
    assert_eq!(theirs.layout(), ours.layout());
    for (lane, bytes) in [(0, 100), (1, 7), (2, 10_000)] {
        let payload: Vec<u8> = (0..bytes).map(|at| (at + lane) as u8).collect();
        ours.write_names(lane, ["an actor", "an operation"]);
        ours.write_argument(lane, &payload);
        ours.set(lane, Field::Bytes, bytes as u32);
        let (mut names, mut came) = (Vec::new(), Vec::new());
        theirs.read_names(lane, [8, 12], &mut names);
        theirs.read_argument(lane, theirs.get(lane, Field::Bytes) as usize, &mut came);
        assert_eq!((&*names, &came), (&b"an actoran operation"[..], &payload));
        // SAFETY: there is no other side but this test.
        let (argument, answer) = unsafe { theirs.in_place(lane, bytes) };
        assert_eq!(argument, payload);
        answer.fill(9);
        ours.read_answer(lane, bytes, &mut came);
        assert_eq!(came, vec![9; bytes]);
        ours.read_argument(lane, bytes, &mut came);
        assert_eq!(came, payload, "untouched by the answer");
    }
}

#[test]
fn no_number_leads_out_of_a_slab() {
    let region = Region::make(layout()).unwrap();
    let mut came = Vec::new();
    region.write_argument(0, &[1; 5000]);
    region.read_argument(0, usize::MAX, &mut came);
    assert_eq!(came, [1; 100]);
    region.read_answer(0, 100, &mut came);
    assert_eq!(came, [0; 100], "the answer is untouched");
    region.write_answer(0, &[2; 5000]);
    region.read_answer(0, usize::MAX, &mut came);
    assert_eq!(came, [2; 100]);
    region.read_names(2, [usize::MAX, 1000], &mut came);
    assert_eq!(came.len(), ACTOR_BYTES_MAX + OPERATION_BYTES_MAX);
    region.read_argument(1, 100, &mut came);
    assert_eq!(came, [0; 100], "the next slab is untouched");
}

#[test]
fn what_is_no_region_is_refused() {
    let memory = |bytes: &[u8], length| {
        let memory = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&memory, length).unwrap();
        nix::sys::uio::pwrite(&memory, bytes, 0).unwrap();
        memory
    };
    let region = Region::make(layout()).unwrap();
    let mut good = Vec::new();
    region.copy_from(0, 64, &mut good);
    let bytes = i64::try_from(region.bytes.get()).unwrap();
    let changed = |at: usize, value| {
        let mut changed = good.clone();
        changed[at] = value;
        changed
    };
    assert!(Region::open(memory(&good, bytes)).is_ok());
    for (page, length) in [
        (good.clone(), 4096),
        (good.clone(), bytes + 4096),
        (changed(0, 0), bytes),
        (changed(8, 0), bytes),
        (changed(8, 99), bytes),
        (changed(16, 0), bytes),
        (changed(16, 3), bytes),
        (changed(27, 255), bytes),
    ] {
        assert!(Region::open(memory(&page, length)).is_err(), "{page:?} of {length}");
    }
}
