//! What a library does wrong, done.

use std::fs::File;
use std::hint::{black_box, spin_loop};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::{LibraryFault, deaths};

/// How long [`LibraryFault::SlowReply`] takes.
pub const SLOW: Duration = Duration::from_millis(2500);

/// Lines of [`LibraryFault::FloodStdout`], and the bytes of each.
const FLOOD_LINES: usize = 20_000;
const FLOOD_LINE_BYTES: usize = 200;

/// What is taken at once by [`LibraryFault::OutOfMemory`].
const PIECE_BYTES: usize = 4 << 20;

/// No leak and no bomb goes on for ever, where nothing bounds it.
const MANY: usize = 4096;

/// Does it, on this thread. Returns what there is to say when the process outlives it and it ends at all; an error is what
/// the provider failed with.
pub fn act(fault: LibraryFault) -> Result<String, String> {
    match fault {
        LibraryFault::AbiMismatch | LibraryFault::MissingSymbol => Err("the file is what is wrong".to_owned()),
        LibraryFault::CrashInConstructor | LibraryFault::Segfault => deaths::segfault(),
        LibraryFault::PanicInInit | LibraryFault::PanicInCall => panic!("asked to panic"),
        LibraryFault::Abort => std::process::abort(),
        LibraryFault::StackOverflow => Ok(format!("{}", deaths::overflow_the_stack(0))),
        LibraryFault::DoubleFree => Ok(deaths::free_twice()),
        LibraryFault::OutOfMemory => Ok(take_all_memory()),
        LibraryFault::HangInCall | LibraryFault::IgnoreDrain => hang(),
        LibraryFault::BusyLoop => burn(),
        LibraryFault::BurnsCpuIdle => burn_beside(),
        LibraryFault::SlowReply => Ok(be_slow()),
        LibraryFault::FloodStdout => flood_stdout(),
        LibraryFault::FdLeak => Ok(leak_descriptors()),
        LibraryFault::ForkBomb => fork_or_thread(),
        LibraryFault::ForbiddenSyscall => Ok(deaths::call_what_is_forbidden()),
        LibraryFault::ForbiddenPath => File::open("/etc/passwd").map(|_| "opened".to_owned()).map_err(words),
        LibraryFault::ForbiddenConnect => {
            TcpStream::connect((Ipv4Addr::LOCALHOST, 1)).map(|_| "connected".to_owned()).map_err(words)
        }
        LibraryFault::ExitZero => std::process::exit(0),
    }
}

fn words(error: std::io::Error) -> String {
    error.to_string()
}

fn hang() -> ! {
    loop {
        thread::park();
    }
}

fn burn() -> ! {
    loop {
        spin_loop();
    }
}

fn burn_beside() -> Result<String, String> {
    thread::Builder::new().name("burner".to_owned()).spawn(|| burn()).map(|_| "it burns".to_owned()).map_err(words)
}

#[expect(clippy::disallowed_methods, reason = "being slow is the fault")]
fn be_slow() -> String {
    thread::sleep(SLOW);
    "late".to_owned()
}

/// Keeps every piece, and has touched it.
fn take_all_memory() -> String {
    let mut taken = Vec::new();
    for _ in 0..MANY {
        taken.push(vec![1_u8; PIECE_BYTES]);
    }
    format!("{} pieces", black_box(&taken).len())
}

fn flood_stdout() -> Result<String, String> {
    let mut line = [b'x'; FLOOD_LINE_BYTES];
    line[FLOOD_LINE_BYTES - 1] = b'\n';
    let mut out = std::io::stdout().lock();
    (0..FLOOD_LINES).try_for_each(|_| out.write_all(&line)).map_err(words)?;
    Ok(format!("wrote {FLOOD_LINES} lines"))
}

fn leak_descriptors() -> String {
    let mut leaked = 0;
    while leaked < MANY {
        let Ok(file) = File::open("/proc/self/stat") else { break };
        std::mem::forget(file);
        leaked += 1;
    }
    let all = if leaked < MANY { "as many as it may have" } else { "without end" };
    format!("leaked {all}")
}

/// Threads that never end, until there are no more.
fn fork_or_thread() -> Result<String, String> {
    let refused = deaths::fork()?;
    let mut threads = 0;
    while threads < MANY {
        let bomb = thread::Builder::new().stack_size(64 << 10).spawn(|| hang());
        if bomb.is_err() {
            break;
        }
        threads += 1;
    }
    let bounded = if threads < MANY { "a bounded number of threads" } else { "threads without end" };
    Ok(format!("fork: {refused}; then {bounded}"))
}
