//! Who gets which lane, and when.

use super::*;

const WAITING_MAX: usize = 16;

const NEVER: (&dyn Fn() -> bool, &dyn Fn() -> Deadline) = (&|| false, &|| Deadline::NEVER);
const AT_ONCE: (&dyn Fn() -> bool, &dyn Fn() -> Deadline) = (&|| true, &|| Deadline::NEVER);

#[test]
fn the_lowest_that_is_large_enough_is_claimed() {
    let claims = Claims::new(70, 70, WAITING_MAX);
    let claim = |among| claims.claim(among, &|_| false, AT_ONCE);
    assert_eq!((claim(0..70), claim(0..70), claim(40..70), claim(64..70)), (Ok(0), Ok(1), Ok(40), Ok(64)));
    claims.release(0);
    assert_eq!((claim(0..70), claim(68..70), claim(68..70)), (Ok(0), Ok(68), Ok(69)));
    assert_eq!(claim(68..70), Err(NoLane::Over));
    assert_eq!(claims.counts(), (6, 0));
}

#[test]
fn no_more_than_may_be_are_in_use() {
    let claims = Claims::new(8, 2, WAITING_MAX);
    let claim = || claims.claim(0..8, &|_| false, AT_ONCE);
    assert_eq!((claim(), claim(), claim()), (Ok(0), Ok(1), Err(NoLane::Over)));
    assert_eq!(claims.claim_more(4..8, &|_| false, AT_ONCE), Some(4), "for a call that has one");
    claims.release(4);
    claims.release(0);
    assert_eq!(claim(), Ok(0));
}

#[test]
fn what_was_left_is_free_when_it_came_back() {
    let claims = Claims::new(2, 2, WAITING_MAX);
    let claim = |back: Option<usize>| claims.claim(0..2, &|lane| back == Some(lane), AT_ONCE);
    assert_eq!((claim(None), claim(None)), (Ok(0), Ok(1)));
    claims.leave(1, None);
    assert_eq!(claim(None), Err(NoLane::Over));
    assert_eq!(claim(Some(1)), Ok(1));
    assert_eq!(claim(Some(1)), Err(NoLane::Over), "once");
    claims.leave(0, Some(1));
    assert_eq!((claim(Some(0)), claim(None)), (Ok(0), Ok(1)), "both");
}

#[test]
fn they_get_their_turns_as_they_came() {
    let claims = Arc::new(Claims::new(1, 1, WAITING_MAX));
    assert_eq!(claims.claim(0..1, &|_| false, NEVER), Ok(0));
    let order = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..WAITING_MAX)
        .map(|number| {
            let (theirs, order) = (claims.clone(), order.clone());
            let thread = std::thread::spawn(move || {
                assert_eq!(theirs.claim(0..1, &|_| false, NEVER), Ok(0));
                order.lock().push(number);
                theirs.release(0);
            });
            while claims.counts().1 <= number {
                std::thread::yield_now();
            }
            thread
        })
        .collect();
    assert_eq!(claims.claim(0..1, &|_| false, NEVER), Err(NoLane::Crowded));
    claims.release(0);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*order.lock(), (0..WAITING_MAX).collect::<Vec<_>>());
    assert_eq!(claims.counts(), (0, 0));
}

#[test]
fn whoever_waits_for_a_large_slab_keeps_nobody_from_a_small_one() {
    let claims = Arc::new(Claims::new(3, 3, WAITING_MAX));
    let claim = |among, how| claims.claim(among, &|_| false, how);
    assert_eq!((claim(2..3, NEVER), claim(0..3, NEVER)), (Ok(2), Ok(0)));
    let theirs = claims.clone();
    let large = std::thread::spawn(move || theirs.claim(2..3, &|_| false, NEVER));
    while claims.counts().1 == 0 {
        std::thread::yield_now();
    }
    assert_eq!(claim(0..3, NEVER), Ok(1));
    claims.release(2);
    assert_eq!(large.join().unwrap(), Ok(2));
}

#[test]
fn room_for_one_more_call_is_room_in_any_lane() {
    let claims = Arc::new(Claims::new(3, 1, WAITING_MAX));
    assert_eq!(claims.claim(0..3, &|_| false, NEVER), Ok(0));
    let theirs = claims.clone();
    let large = std::thread::spawn(move || theirs.claim(2..3, &|_| false, NEVER));
    while claims.counts().1 == 0 {
        std::thread::yield_now();
    }
    claims.release(0);
    assert_eq!(large.join().unwrap(), Ok(2));
}

#[test]
fn masks_are_of_the_range() {
    assert_eq!((mask(0, &(0..70)), mask(1, &(0..70)), mask(2, &(0..70))), (u32::MAX, u32::MAX, 0x3f));
    assert_eq!((mask(0, &(40..41)), mask(1, &(40..41)), mask(2, &(40..41))), (0, 0x100, 0));
}
