//! What is expected of each cell, as far as the walk has to know it to wait for the right thing. All else is in the golden
//! table.

use cofferdam_faults::{Cell, Fault, LaneFault, LibraryFault, ShimFault, Stage};
use cofferdam_host::Tier;

/// Whether it can be done in this tier.
pub(super) fn is_possible(cell: Cell, tier: Tier) -> bool {
    tier == Tier::Lanes || !matches!(cell.fault, Fault::Lane(_))
}

/// Whether it is done where calls go, and so in another way for each tier.
pub(super) const fn is_where_calls_go(cell: Cell) -> bool {
    match cell.fault {
        Fault::Library(_) => false,
        Fault::Shim(ShimFault::LaneCorruption | ShimFault::DoorbellFlood) | Fault::Lane(_) => true,
        Fault::Shim(_) => matches!(cell.stage, Stage::Calling),
    }
}

/// Whether the process does not outlive it, and a report of its death is written.
pub(super) fn dies(cell: Cell, tier: Tier) -> bool {
    match cell.fault {
        Fault::Library(fault) => library_dies(fault, cell.stage),
        Fault::Shim(ShimFault::DuplicateReply | ShimFault::UnknownCallId)
            if tier == Tier::Lanes && cell.stage == Stage::Calling =>
        {
            // Whoever answers in a lane that nobody waits at has told nobody anything.
            false
        }
        Fault::Shim(fault) => shim_dies(fault, cell.stage),
        Fault::Lane(fault) => lane_dies(fault),
    }
}

fn library_dies(fault: LibraryFault, stage: Stage) -> bool {
    match fault {
        LibraryFault::AbiMismatch
        | LibraryFault::MissingSymbol
        | LibraryFault::CrashInConstructor
        | LibraryFault::PanicInInit
        | LibraryFault::Segfault
        | LibraryFault::Abort
        | LibraryFault::StackOverflow
        | LibraryFault::DoubleFree
        | LibraryFault::OutOfMemory
        | LibraryFault::HangInCall
        | LibraryFault::BusyLoop
        | LibraryFault::ForbiddenSyscall
        | LibraryFault::IgnoreDrain
        // It was told to end, too, but not while a call is in it.
        | LibraryFault::ExitZero => true,
        // No thread is left to serve it.
        LibraryFault::ForkBomb => stage == Stage::Loading,
        // The error is what it fails to be made with.
        LibraryFault::ForbiddenPath | LibraryFault::ForbiddenConnect => stage == Stage::Loading,
        LibraryFault::PanicInCall
        | LibraryFault::BurnsCpuIdle
        | LibraryFault::SlowReply
        | LibraryFault::FloodStdout
        | LibraryFault::FdLeak => false,
    }
}

fn shim_dies(fault: ShimFault, stage: Stage) -> bool {
    match fault {
        ShimFault::ExitBeforeHello
        | ShimFault::HangBeforeHello
        | ShimFault::WrongMagic
        | ShimFault::WrongVersion
        | ShimFault::StaleGeneration
        | ShimFault::Unconfined
        | ShimFault::UnknownCallId
        | ShimFault::OversizeFrame
        | ShimFault::TruncatedFrame
        | ShimFault::GarbageFrame
        | ShimFault::StallsMidFrame
        | ShimFault::StopsReading
        | ShimFault::ControlFlood
        | ShimFault::LaneCorruption
        | ShimFault::TakesNoCalls => true,
        // A second answer to how it is passes for one that is late, and to have drained twice is to have drained.
        ShimFault::DuplicateReply => !matches!(stage, Stage::Ready | Stage::Draining),
        // Where the kernel is asked who has written, it says that more came along; elsewhere it drops that silently.
        ShimFault::SendsDescriptors => stage == Stage::Greeting,
        ShimFault::DoorbellFlood | ShimFault::ResizesMemory => false,
    }
}

fn lane_dies(fault: LaneFault) -> bool {
    match fault {
        LaneFault::WantsTooMuchRoom
        | LaneFault::WantsRoomTwice
        | LaneFault::RingsUnasked
        | LaneFault::RingsBack
        | LaneFault::OverlongArgument
        | LaneFault::GarbageNames => true,
        // A state that means nothing says nothing.
        LaneFault::NoSuchState => false,
    }
}
