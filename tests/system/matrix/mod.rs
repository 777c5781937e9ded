//! The fault matrix: everything that the process of a provider can do wrong, at each stage of its life where it can.
//!
//! Each [`Cell`] leaves a row in a golden table: what the caller is told and what became of the call, what `ps` says, and
//! what the crash report says. All the while an unrelated actor calls an unrelated provider without a pause: none of its
//! calls fails or is late. After each cell nothing is left behind: no process, no descriptor, no thread, no control group;
//! and of floods, no memory.
//!
//! Where calls go a shim does wrong what the tier has: frames on a socket, or anything in the memory of lanes, which a few faults
//! can be done in alone. Those cells have a table for each tier, and all others the same one, to the letter.
//!
//! `ward.rs` does a cell and watches, `load.rs` is the unrelated pair, `expected.rs` says who dies, and
//! `telling.rs` writes the rows.

mod expected;
mod load;
mod telling;
mod ward;

use cofferdam_faults::{Cell, Fault, LibraryFault, Stage};
use cofferdam_host::Tier;
use cofferdam_tests::cgroups::{due, groups_of_hosts_in, may_be_made};
use cofferdam_tests::process::{Held, alone, memory_bytes, until};

use expected::{is_possible, is_where_calls_go};
use ward::Ward;

/// What is repeated, so often, to see whether any of it stays: it writes 4 MB each time.
const FLOOD: Cell = Cell { fault: Fault::Library(LibraryFault::FloodStdout), stage: Stage::Calling };
const FLOODS: usize = 16;

/// What the host's memory may grow by meanwhile: a quarter of what is written.
const GROWTH_BYTES_MAX: u64 = 16 << 20;

/// Idle threads of the runtime come and go, whatever was done; one for each cell would be many more.
const IDLE_THREADS: usize = 3;

#[test]
fn every_fault_costs_its_own_callers_only() {
    alone("matrix::every_fault_costs_its_own_callers_only", || walk(Tier::Lanes));
}

#[test]
fn every_fault_costs_its_own_callers_only_on_sockets() {
    alone("matrix::every_fault_costs_its_own_callers_only_on_sockets", || walk(Tier::Socket));
}

async fn walk(tier: Tier) {
    let cells: Vec<Cell> = Cell::all().filter(|cell| is_possible(*cell, tier)).collect();
    let ward = Ward::start(tier).await;
    let (mut table, mut where_calls_go) = (String::new(), String::new());
    let before = Held::now();
    let before = Held { threads: before.threads + IDLE_THREADS, ..before };
    let groups = if may_be_made().await { due(1) } else { 0 };
    for cell in &cells {
        let row = ward.walk(*cell).await;
        eprint!("{row}");
        if is_where_calls_go(*cell) { &mut where_calls_go } else { &mut table }.push_str(&row);
        nothing_is_left(*cell, before, groups).await;
    }
    let memory = memory_bytes();
    for _ in 0..FLOODS {
        ward.walk(FLOOD).await;
        nothing_is_left(FLOOD, before, groups).await;
    }
    let grown = memory_bytes().saturating_sub(memory);
    assert!(grown < GROWTH_BYTES_MAX, "the host grew by {grown} bytes");
    insta::assert_snapshot!("matrix", table);
    let of_tier = if tier == Tier::Lanes { "matrix_in_lanes" } else { "matrix_on_sockets" };
    insta::assert_snapshot!(of_tier, where_calls_go);
    ward.end().await;
    until("no process is left", async || Held::now().children == 0).await;
}

async fn nothing_is_left(cell: Cell, before: Held, groups: usize) {
    let mut now = before;
    until(&format!("nothing is left of: {cell}"), async || {
        let held = Held::now();
        if held != now {
            eprintln!("{cell}: {held:?}, where {before:?} is due");
            now = held;
        }
        held.is_within(before)
    })
    .await;
    let left = || groups_of_hosts_in(std::process::id());
    until(&format!("no control group is left of: {cell}"), async || left().len() <= groups).await;
}
