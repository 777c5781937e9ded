//! WASI preview 1, denied by default: output to the log, clocks, randomness, an empty environment, and exit.
//!
//! There is no file system, no network and no argument. Every other function of preview 1 exists, so that what a
//! compiler links in does not keep a module from loading, and answers the errno of the table below.

use rand::RngCore as _;
use wasmer::{Function, FunctionEnv, FunctionEnvMut, FunctionType, RuntimeError, Store, Type, Value};

use super::guest::{Fault, Guest, GuestMemory, host_function};

const SUCCESS: i32 = 0;
const BADF: i32 = 8;
const FAULT: i32 = 21;
const INVAL: i32 = 28;
const NOSYS: i32 = 52;
const NOTCAPABLE: i32 = 76;

/// Most buffers in one `fd_write`, and most bytes it takes at once; the rest is a short write.
const BUFFERS_MAX: i32 = 1_024;
const WRITE_BYTES_MAX: usize = 64 << 10;
/// Most bytes of one `random_get`; the deadline is looked at once for each.
const RANDOM_BYTES_MAX: usize = 1 << 20;

const SECOND_NS: i128 = 1_000_000_000;

/// One function of preview 1.
#[derive(Debug)]
pub(super) struct WasiFunction {
    name: &'static str,
    /// One letter a parameter: `i` is i32, `I` is i64. The result is an i32 errno, but for `proc_exit`.
    params: &'static str,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Always this errno.
    Errno(i32),
    /// Both the count and the size of an empty list.
    EmptyList,
    FdWrite,
    FdStat,
    ClockTime,
    ClockResolution,
    Random,
    Exit,
}

const fn row(name: &'static str, params: &'static str, answer: Answer) -> WasiFunction {
    WasiFunction { name, params, answer }
}

/// The whole of preview 1.
static TABLE: &[WasiFunction] = &[
    row("args_get", "ii", Answer::Errno(SUCCESS)),
    row("args_sizes_get", "ii", Answer::EmptyList),
    row("environ_get", "ii", Answer::Errno(SUCCESS)),
    row("environ_sizes_get", "ii", Answer::EmptyList),
    row("clock_res_get", "ii", Answer::ClockResolution),
    row("clock_time_get", "iIi", Answer::ClockTime),
    row("random_get", "ii", Answer::Random),
    row("proc_exit", "i", Answer::Exit),
    row("sched_yield", "", Answer::Errno(SUCCESS)),
    row("proc_raise", "i", Answer::Errno(NOSYS)),
    row("poll_oneoff", "iiii", Answer::Errno(NOSYS)),
    row("fd_write", "iiii", Answer::FdWrite),
    row("fd_fdstat_get", "ii", Answer::FdStat),
    row("fd_prestat_get", "ii", Answer::Errno(BADF)),
    row("fd_prestat_dir_name", "iii", Answer::Errno(BADF)),
    row("fd_advise", "iIIi", Answer::Errno(BADF)),
    row("fd_allocate", "iII", Answer::Errno(BADF)),
    row("fd_close", "i", Answer::Errno(BADF)),
    row("fd_datasync", "i", Answer::Errno(BADF)),
    row("fd_fdstat_set_flags", "ii", Answer::Errno(BADF)),
    row("fd_fdstat_set_rights", "iII", Answer::Errno(BADF)),
    row("fd_filestat_get", "ii", Answer::Errno(BADF)),
    row("fd_filestat_set_size", "iI", Answer::Errno(BADF)),
    row("fd_filestat_set_times", "iIIi", Answer::Errno(BADF)),
    row("fd_pread", "iiiIi", Answer::Errno(BADF)),
    row("fd_pwrite", "iiiIi", Answer::Errno(BADF)),
    row("fd_read", "iiii", Answer::Errno(BADF)),
    row("fd_readdir", "iiiIi", Answer::Errno(BADF)),
    row("fd_renumber", "ii", Answer::Errno(BADF)),
    row("fd_seek", "iIii", Answer::Errno(BADF)),
    row("fd_sync", "i", Answer::Errno(BADF)),
    row("fd_tell", "ii", Answer::Errno(BADF)),
    row("path_create_directory", "iii", Answer::Errno(NOTCAPABLE)),
    row("path_filestat_get", "iiiii", Answer::Errno(NOTCAPABLE)),
    row("path_filestat_set_times", "iiiiIIi", Answer::Errno(NOTCAPABLE)),
    row("path_link", "iiiiiii", Answer::Errno(NOTCAPABLE)),
    row("path_open", "iiiiiIIii", Answer::Errno(NOTCAPABLE)),
    row("path_readlink", "iiiiii", Answer::Errno(NOTCAPABLE)),
    row("path_remove_directory", "iii", Answer::Errno(NOTCAPABLE)),
    row("path_rename", "iiiiii", Answer::Errno(NOTCAPABLE)),
    row("path_symlink", "iiiii", Answer::Errno(NOTCAPABLE)),
    row("path_unlink_file", "iii", Answer::Errno(NOTCAPABLE)),
    row("sock_accept", "iii", Answer::Errno(NOTCAPABLE)),
    row("sock_recv", "iiiiii", Answer::Errno(NOTCAPABLE)),
    row("sock_send", "iiiii", Answer::Errno(NOTCAPABLE)),
    row("sock_shutdown", "ii", Answer::Errno(NOTCAPABLE)),
];

/// Finds a function of preview 1.
pub(super) fn by_name(name: &str) -> Option<&'static WasiFunction> {
    TABLE.iter().find(|function| function.name == name)
}

impl WasiFunction {
    pub(super) fn ty(&self) -> FunctionType {
        let params = self.params.bytes().map(|letter| if letter == b'I' { Type::I64 } else { Type::I32 });
        let results = if self.answer == Answer::Exit { vec![] } else { vec![Type::I32] };
        FunctionType::new(params.collect::<Vec<_>>(), results)
    }

    pub(super) fn make(&self, store: &mut Store, env: &FunctionEnv<Guest>) -> Function {
        match self.answer {
            Answer::Errno(errno) => {
                Function::new_with_env(store, env, self.ty(), move |_, _| Ok(vec![Value::I32(errno)]))
            }
            Answer::EmptyList => Function::new_typed_with_env(store, env, empty_list),
            Answer::FdWrite => Function::new_typed_with_env(store, env, fd_write),
            Answer::FdStat => Function::new_typed_with_env(store, env, fd_fdstat_get),
            Answer::ClockTime => Function::new_typed_with_env(store, env, clock_time_get),
            Answer::ClockResolution => Function::new_typed_with_env(store, env, clock_res_get),
            Answer::Random => Function::new_typed_with_env(store, env, random_get),
            Answer::Exit => Function::new_typed_with_env(store, env, proc_exit),
        }
    }
}

type Env<'a> = FunctionEnvMut<'a, Guest>;

/// A pointer outside the memory is the errno `FAULT` here, unlike in waPC; all other faults end the guest.
fn errno(outcome: Result<i32, Fault>) -> Result<i32, Fault> {
    match outcome {
        Err(Fault::Protocol { .. }) => Ok(FAULT),
        other => other,
    }
}

fn empty_list(env: Env<'_>, count_ptr: i32, bytes_ptr: i32) -> Result<i32, RuntimeError> {
    host_function("args_sizes_get", env, |_, mut memory| {
        errno((|| {
            memory.write(count_ptr, &[0; 4])?;
            memory.write(bytes_ptr, &[0; 4])?;
            Ok(SUCCESS)
        })())
    })
}

fn fd_write(env: Env<'_>, fd: i32, buffers_ptr: i32, buffers: i32, written_ptr: i32) -> Result<i32, RuntimeError> {
    host_function("fd_write", env, |guest, mut memory| {
        guest.check_deadline("fd_write")?;
        errno(match fd {
            1 | 2 if (0..=BUFFERS_MAX).contains(&buffers) => (|| {
                let list = memory.bytes(buffers_ptr, buffers * 8)?;
                let written = write_lines(guest, &memory, fd as usize - 1, list)?;
                memory.write(written_ptr, &written.to_le_bytes())?;
                Ok(SUCCESS)
            })(),
            1 | 2 => Ok(INVAL),
            _ => Ok(BADF),
        })
    })
}

/// Logs what the list of buffers (pointer and length, four bytes each) names, and answers how many bytes it took.
fn write_lines(guest: &mut Guest, memory: &GuestMemory<'_>, stream: usize, list: &[u8]) -> Result<u32, Fault> {
    let mut written = 0;
    for entry in list.chunks_exact(8) {
        let number = |at: usize| i32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        let bytes = memory.bytes(number(0), number(4))?;
        let taken = &bytes[..bytes.len().min(WRITE_BYTES_MAX - written)];
        guest.lines.push(stream, taken, &guest.log);
        written += taken.len();
    }
    Ok(written as u32)
}

/// Standard input, output and error are character devices without rights; nothing else is open.
fn fd_fdstat_get(env: Env<'_>, fd: i32, stat_ptr: i32) -> Result<i32, RuntimeError> {
    host_function("fd_fdstat_get", env, |_, mut memory| {
        if !(0..=2).contains(&fd) {
            return Ok(BADF);
        }
        let mut stat = [0; 24];
        stat[0] = 2;
        errno(memory.write(stat_ptr, &stat).map(|()| SUCCESS))
    })
}

fn clock_time_get(env: Env<'_>, clock: i32, _precision: i64, time_ptr: i32) -> Result<i32, RuntimeError> {
    host_function("clock_time_get", env, |_, mut memory| {
        use nix::time::{ClockId, clock_gettime};
        let clock = match clock {
            0 => ClockId::CLOCK_REALTIME,
            1 => ClockId::CLOCK_MONOTONIC,
            _ => return Ok(INVAL),
        };
        let Ok(now) = clock_gettime(clock) else { return Ok(INVAL) };
        let now_ns = i128::from(now.tv_sec()) * SECOND_NS + i128::from(now.tv_nsec());
        let now_ns = u64::try_from(now_ns).unwrap_or(0);
        errno(memory.write(time_ptr, &now_ns.to_le_bytes()).map(|()| SUCCESS))
    })
}

fn clock_res_get(env: Env<'_>, clock: i32, resolution_ptr: i32) -> Result<i32, RuntimeError> {
    host_function("clock_res_get", env, |_, mut memory| {
        if !(0..=1).contains(&clock) {
            return Ok(INVAL);
        }
        errno(memory.write(resolution_ptr, &1_u64.to_le_bytes()).map(|()| SUCCESS))
    })
}

fn random_get(env: Env<'_>, ptr: i32, len: i32) -> Result<i32, RuntimeError> {
    host_function("random_get", env, |guest, mut memory| {
        guest.check_deadline("random_get")?;
        let len = len.cast_unsigned() as usize;
        if len > RANDOM_BYTES_MAX {
            return Ok(INVAL);
        }
        errno(memory.bytes_mut(ptr, len).map(|bytes| {
            rand::rng().fill_bytes(bytes);
            SUCCESS
        }))
    })
}

fn proc_exit(env: Env<'_>, code: i32) -> Result<(), RuntimeError> {
    host_function("proc_exit", env, |_, _| Err(Fault::Exited(code)))
}
