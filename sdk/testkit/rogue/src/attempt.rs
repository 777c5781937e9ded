//! The list of attempts. It is closed: each name has the function that makes it, and neither exists without the other.

use crate::Scene;
use crate::outcome::Outcome;
use crate::ways::{code, descriptors, files, foreign, kernel, limits, memory, mounts, network, processes, rights};

macro_rules! attempts {
    ($($name:ident: $make:path,)*) => {
        /// A way out, by name. `docs/sandbox.md` says of each what it is and what stops it.
        #[allow(missing_docs, reason = "the table of docs/sandbox.md documents each of them, and a test holds it to that")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Attempt {
            $($name,)*
        }

        impl Attempt {
            /// All of them, in the order in which the tests make them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is written.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Makes it.
            pub(crate) fn make(self, scene: &Scene<'_>) -> Outcome {
                match self {
                    $(Self::$name => $make(scene),)*
                }
            }
        }
    };
}

attempts! {
    // The five ways out that worked once.
    FastOpen: network::fast_open,
    DirectoryParent: descriptors::directory_parent,
    ReopenForWriting: descriptors::reopen_for_writing,
    RootsFile: files::roots_file,
    Environment: files::environment,

    // Networks and sockets.
    ConnectListener: network::connect_listener,
    ListenElsewhere: network::listen_elsewhere,
    ConnectTcp: network::connect_tcp,
    SendUdp: network::send_udp,
    OtherProtocols: network::other_protocols,
    ConnectAbstract: network::connect_abstract,
    ConnectPath: network::connect_path,
    DatagramPair: network::datagram_pair,
    UrgentData: network::urgent_data,
    SendDescriptors: descriptors::send_descriptors,
    HandleOfPeer: descriptors::handle_of_peer,
    StealDescriptor: descriptors::steal_descriptor,

    // Files.
    ReadPasswd: files::read_passwd,
    ReadShadow: files::read_shadow,
    ReadHostState: files::read_host_state,
    ReadHomes: files::read_homes,
    ReadOtherProvider: files::read_other_provider,
    ListRoot: files::list_root,
    WriteRoot: files::write_root,
    WriteTemporary: files::write_temporary,
    WriteBesideGrants: files::write_beside_grants,
    WriteLibraries: files::write_libraries,
    WriteKernelSettings: files::write_kernel_settings,
    OpenDevice: files::open_device,
    MakeDevice: files::make_device,
    MakePipeOrSocket: files::make_pipe_or_socket,
    Whiteout: files::whiteout,
    HardLink: files::hard_link,
    SymbolicLink: files::symbolic_link,
    LendIdentity: files::lend_identity,
    LockOwnDirectory: files::lock_own_directory,
    GiveAway: files::give_away,
    FileHandle: files::file_handle,
    OpenByHandle: files::open_by_handle,
    WatchFiles: files::watch_files,

    // Processes.
    ListProcesses: processes::list,
    ReadInit: processes::read_init,
    SignalHost: processes::signal_host,
    SignalAll: processes::signal_all,
    SignalInit: processes::signal_init,
    SignalByHandle: processes::signal_by_handle,
    SignalByOwner: processes::signal_by_owner,
    Ptrace: processes::ptrace,
    ReadProcess: processes::read_process,
    WriteProcess: processes::write_process,
    AdviseProcess: processes::advise_process,
    WriteOwnMemory: processes::write_own_memory,
    Fork: processes::fork,
    CloneProcess: processes::clone_process,
    CloneApart: processes::clone_apart,
    CloneNamespace: processes::clone_namespace,
    Execute: processes::execute,
    ExecuteDescriptor: processes::execute_descriptor,
    LeaveGroup: processes::leave_group,
    OutliveHost: processes::outlive_host,
    CatchAlarm: processes::catch_alarm,

    // Code.
    WritableCode: code::writable,
    MemoryToCode: code::memory,
    FileToCode: code::file,
    LoadLibrary: code::load_library,
    MemoryFile: code::memory_file,
    ReadableToCode: code::personality,

    // Mounts and namespaces.
    Mount: mounts::mount,
    Unmount: mounts::unmount,
    PivotRoot: mounts::pivot_root,
    Chroot: mounts::chroot,
    OpenTree: mounts::open_tree,
    MoveMount: mounts::move_mount,
    OpenFileSystem: mounts::fsopen,
    MountFileSystem: mounts::fsmount,
    ChangeMount: mounts::mount_setattr,
    ListMounts: mounts::list,
    Unshare: mounts::unshare,
    EnterNamespace: mounts::setns,

    // The kernel.
    InputOutputRing: kernel::io_uring,
    Keys: kernel::keys,
    KernelProgram: kernel::bpf,
    Performance: kernel::performance,
    PageFaults: kernel::page_faults,
    LoadModule: kernel::init_module,
    LoadModuleFile: kernel::finit_module,
    DeleteModule: kernel::delete_module,
    LoadKernel: kernel::kexec_load,
    LoadKernelFile: kernel::kexec_file_load,
    Reboot: kernel::reboot,
    SwapOn: kernel::swapon,
    SwapOff: kernel::swapoff,
    Accounting: kernel::acct,
    KernelLog: kernel::syslog,
    SetTime: kernel::settimeofday,
    SetClock: kernel::clock_settime,
    AdjustClock: kernel::adjtimex,
    HostName: kernel::host_name,
    Quota: kernel::quota,
    Ports: kernel::ports,
    TerminalInput: kernel::terminal_input,

    // Rights.
    BecomeUser: rights::user,
    BecomeGroup: rights::group,
    Capabilities: rights::capabilities,
    ShowMemory: rights::show_memory,
    OwnFilter: rights::own_filter,

    // Limits.
    RaiseLimit: limits::raise,
    ControlGroup: limits::control_group,
    LimitHost: limits::of_host,
    Priority: limits::priority,
    PrivateMemory: memory::private,
    SharedMemory: memory::shared,
    StackMemory: memory::stack,
    HugePages: memory::huge_pages,
    LockMemory: memory::lock,
    SystemVMemory: memory::system_v,
    Descriptors: limits::descriptors,
    Threads: limits::threads,
    FileSize: limits::file_size,
    ManyFiles: limits::many_files,
    PipeBuffers: limits::pipe_buffers,
    FillOutput: limits::fill_output,

    // Other doors of the kernel.
    OldCalls: foreign::old_calls,
    ForeignCalls: foreign::foreign_calls,
    LegacyPage: foreign::legacy_page,
    EveryOtherCall: foreign::every_other_call,
}
