//! What is expected of each cell, as far as the walk has to know it to wait for the right thing. All else is in the golden
//! table.

use cofferdam_faults::{Cell, Fault, LibraryFault, ShimFault, Stage};

/// Whether the process does not outlive it, and a report of its death is written.
pub(super) fn dies(cell: Cell) -> bool {
    match cell.fault {
        Fault::Library(fault) => library_dies(fault, cell.stage),
        Fault::Shim(fault) => shim_dies(fault, cell.stage),
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
        | ShimFault::LaneCorruption => true,
        // A second answer to how it is passes for one that is late, and to have drained twice is to have drained.
        ShimFault::DuplicateReply => !matches!(stage, Stage::Ready | Stage::Draining),
        // Where the kernel is asked who has written, it says that more came along; elsewhere it drops that silently.
        ShimFault::SendsDescriptors => stage == Stage::Greeting,
        ShimFault::DoorbellFlood => false,
    }
}
