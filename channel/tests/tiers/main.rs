//! The tiers, both ends in one process: what callers see when the other end is slow, gone, full or hostile.
//!
//! `both.rs` holds what is the same of both tiers, `completions.rs` what callers see that must not block, and
//! `socket_hostile.rs` and `lane_hostile.rs` what a peer can do that keeps to no rule. `lane_ignored.rs` is who takes no
//! calls, and `lane_memory.rs` what lanes take of memory. `rig.rs` is the two ends.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod both;
mod completions;
mod lane_hostile;
mod lane_ignored;
mod lane_memory;
mod rig;
mod socket_hostile;
