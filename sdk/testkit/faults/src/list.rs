//! The list. Each fault names the stages at which it is done, at least one.

use crate::Stage;

macro_rules! faults {
    (
        $(#[doc = $of:literal])+
        $list:ident {
            $($(#[doc = $doc:literal])+ $name:ident: $first:ident $(, $more:ident)*;)+
        }
    ) => {
        $(#[doc = $of])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $list {
            $($(#[doc = $doc])+ $name,)+
        }

        impl $list {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As it is written.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The fault of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|fault| fault.name() == name)
            }

            /// When it is done.
            pub const fn stages(self) -> &'static [Stage] {
                match self {
                    $(Self::$name => &[Stage::$first $(, Stage::$more)*],)+
                }
            }
        }
    };
}

faults! {
    /// What a library does. It is confined, and the shim around it is honest.
    LibraryFault {
        /// It was built for another version of the ABI.
        AbiMismatch: Loading;
        /// It exports nothing that a shim looks for.
        MissingSymbol: Loading;
        /// It dies when it is opened, before anything of it was called.
        CrashInConstructor: Loading, Restarting;
        /// It panics while it is made.
        PanicInInit: Loading, Restarting;
        /// It panics in what the host called.
        PanicInCall: Binding, Ready, Calling, Draining;
        /// It reads where nothing is.
        Segfault: Loading, Binding, Ready, Calling, Draining;
        /// It aborts.
        Abort: Loading, Binding, Ready, Calling, Draining;
        /// It recurses without end.
        StackOverflow: Loading, Binding, Ready, Calling, Draining;
        /// It frees memory twice.
        DoubleFree: Loading, Binding, Ready, Calling, Draining;
        /// It takes memory without end.
        OutOfMemory: Loading, Binding, Ready, Calling, Draining;
        /// It never returns, and sleeps.
        HangInCall: Loading, Binding, Ready, Calling;
        /// It never returns, and computes.
        BusyLoop: Loading, Binding, Ready, Calling, Draining;
        /// It computes though nobody has asked for anything.
        BurnsCpuIdle: Ready;
        /// It answers when nobody waits any more.
        SlowReply: Binding, Calling;
        /// It writes a great deal to its standard output.
        FloodStdout: Loading, Binding, Ready, Calling, Draining;
        /// It opens descriptors and never closes them.
        FdLeak: Loading, Binding, Ready, Calling;
        /// It starts processes, and where it can't, threads.
        ForkBomb: Loading, Binding, Ready, Calling;
        /// It makes a system call that no honest provider makes.
        ForbiddenSyscall: Loading, Binding, Ready, Calling, Draining;
        /// It opens a file that it was not given.
        ForbiddenPath: Loading, Binding, Ready, Calling;
        /// It connects where it was not let.
        ForbiddenConnect: Loading, Binding, Ready, Calling;
        /// It goes on when it was told to end.
        IgnoreDrain: Draining;
        /// It ends by itself, and says that all is well.
        ExitZero: Loading, Binding, Ready, Calling, Draining;
    }
}

faults! {
    /// What a shim does that is not ours, or not ours any more. Nothing confines it.
    ShimFault {
        /// It ends before it says anything.
        ExitBeforeHello: Greeting, Restarting;
        /// It says nothing.
        HangBeforeHello: Greeting;
        /// What it says first is of another protocol.
        WrongMagic: Greeting, Restarting;
        /// It speaks another version.
        WrongVersion: Greeting;
        /// It says that it is another start of the provider.
        StaleGeneration: Greeting, Restarting;
        /// It says that nothing confines it.
        Unconfined: Greeting, Restarting;
        /// It says twice what is said once.
        DuplicateReply: Loading, Binding, Ready, Calling, Draining;
        /// It answers what it was not asked.
        UnknownCallId: Binding, Ready, Calling;
        /// It announces more than any frame may have.
        OversizeFrame: Loading, Binding, Ready, Calling, Draining;
        /// It closes the socket in the middle of a frame, and lives on.
        TruncatedFrame: Greeting, Loading, Binding, Ready, Calling, Draining;
        /// It sends a frame that means nothing.
        GarbageFrame: Loading, Binding, Ready, Calling, Draining;
        /// It stops in the middle of a frame, and lives on.
        StallsMidFrame: Greeting, Loading, Binding, Ready, Calling, Draining;
        /// It reads no further.
        StopsReading: Loading, Binding, Ready, Calling, Draining;
        /// It sends descriptors along.
        SendsDescriptors: Greeting, Loading, Binding, Ready, Calling, Draining;
        /// It wakes the host as often as it can, for nothing.
        DoorbellFlood: Loading, Binding, Ready, Calling, Draining;
        /// It says and asks without end on its control socket, and reads no answer.
        ControlFlood: Loading, Binding, Ready, Draining;
        /// It spoils what it shares with the host, and dies of it or is ended for it.
        LaneCorruption: Ready, Calling, Draining;
        /// It takes no further call, and goes on saying that it is well.
        TakesNoCalls: Calling;
        /// It changes the length of the memory that the host made, or what of it there is.
        ResizesMemory: Calling;
    }
}

faults! {
    /// What a shim does in the memory of lanes, and could do nowhere else: each where a frame on a socket has no like of it.
    LaneFault {
        /// It asks for more room than there is.
        WantsTooMuchRoom: Calling;
        /// It asks for room again when it was given some.
        WantsRoomTwice: Calling;
        /// Its lane passes through states that no step leads to.
        NoSuchState: Calling;
        /// It rings for a call that it has not made.
        RingsUnasked: Calling;
        /// It runs a call, says that it has not taken it, and breaks a rule.
        RingsBack: Calling;
        /// It calls an actor with a longer argument than there is room for.
        OverlongArgument: Calling;
        /// It calls an actor whose name is no text.
        GarbageNames: Calling;
    }
}
