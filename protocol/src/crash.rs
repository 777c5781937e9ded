//! What a shim's process leaves behind when a signal ends it: written by a signal handler into a pipe, a few bytes at a
//! time, and read by whoever looks into its death.
//!
//! It is a sequence of parts, `u32 kind | u32 length | body`, of which the first is [`Fault`]. Whatever comes after the
//! first part that makes no sense is left out. The library shares the process and the pipe with the handler: nothing in
//! it is more than the process's own word.

use crate::DecodeError;
use crate::error::Broken;
use crate::limits::{MODULES_MAX, RECORD_BYTES_MAX};
use crate::preface::array;

/// The part that is there always, and first.
pub const FAULT: u32 = 1;
/// A module that was loaded: its address, then its path.
pub const MODULE: u32 = 2;
/// Bytes of the stack: their address, then they.
pub const STACK: u32 = 3;
/// Nothing follows.
pub const END: u32 = 4;

/// Kind and length of a part.
pub const PART_BYTES: usize = 8;
/// The body of [`FAULT`].
pub const FAULT_BYTES: usize = 80;
/// The longest path of a module that is written.
pub const MODULE_PATH_BYTES_MAX: usize = 256;
/// The stack is written in pieces, none over the end of a page, that with what lies around them fill half a page of the
/// pipe at most.
pub const STACK_PIECE_BYTES: usize = 2048 - PART_BYTES - 8;
/// How many pieces of it.
pub const STACK_PIECES_MAX: usize = 30;
/// The stack may begin above the stack pointer, when what lies between can't be read.
const STACK_GAP_BYTES_MAX: u64 = 64 << 10;

/// What ended the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The signal.
    pub signal: u32,
    /// Why it came: `si_code`.
    pub code: i32,
    /// The address it is about, if it is about one.
    pub address: u64,
    /// The system call that was refused; negative when it is about none.
    pub system_call: i64,
    /// The thread's id, in its own namespace.
    pub thread: u32,
    /// The machine, as ELF counts them.
    pub machine: u32,
    /// The thread's name, ended by a zero.
    pub thread_name: [u8; 16],
    /// Where it executed.
    pub pc: u64,
    /// Its stack pointer.
    pub sp: u64,
    /// Its frame pointer.
    pub fp: u64,
    /// Where it would have returned to, on machines that keep that in a register.
    pub lr: u64,
}

impl Fault {
    /// The body of the part. Calls nothing that a signal handler must not.
    pub fn to_bytes(&self) -> [u8; FAULT_BYTES] {
        let mut bytes = [0; FAULT_BYTES];
        bytes[0..4].copy_from_slice(&self.signal.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.code.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.address.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.system_call.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.thread.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.machine.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.thread_name);
        bytes[48..56].copy_from_slice(&self.pc.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.sp.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.fp.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.lr.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; FAULT_BYTES]) -> Self {
        let u32_at = |at| u32::from_le_bytes(array(bytes, at));
        let u64_at = |at| u64::from_le_bytes(array(bytes, at));
        Self {
            signal: u32_at(0),
            code: u32_at(4).cast_signed(),
            address: u64_at(8),
            system_call: u64_at(16).cast_signed(),
            thread: u32_at(24),
            machine: u32_at(28),
            thread_name: array(bytes, 32),
            pc: u64_at(48),
            sp: u64_at(56),
            fp: u64_at(64),
            lr: u64_at(72),
        }
    }
}

/// A module that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// What its addresses have to be added to.
    pub base: u64,
    /// The path it was opened by. Empty for the program itself.
    pub path: String,
}

/// Everything a process left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashRecord {
    /// What ended it.
    pub fault: Fault,
    /// What was loaded.
    pub modules: Vec<Module>,
    /// Where `stack` began.
    pub stack_address: u64,
    /// The end of the stack that was in use. Secrets lie in it.
    pub stack: Vec<u8>,
    /// Whether the handler came to its end.
    pub complete: bool,
}

impl CrashRecord {
    /// Reads what a process left.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        Broken::unless_length("crash record bytes", bytes.len(), RECORD_BYTES_MAX)?;
        let mut parts = Parts(bytes);
        let Some((FAULT, body)) = parts.next() else { return Err(no_fault("its first part is no fault")) };
        let body = body.first_chunk().ok_or_else(|| no_fault("the fault is too short"))?;
        let fault = Fault::from_bytes(body);
        let mut record = Self { fault, modules: vec![], stack_address: fault.sp, stack: vec![], complete: false };
        for (kind, body) in parts {
            match kind {
                MODULE if record.modules.len() < MODULES_MAX && record.add_module(body) => {}
                STACK if record.add_stack(body) => {}
                END => {
                    record.complete = true;
                    break;
                }
                _ => break,
            }
        }
        Ok(record)
    }

    fn add_module(&mut self, body: &[u8]) -> bool {
        let Some((base, path)) = body.split_first_chunk() else { return false };
        if path.len() > MODULE_PATH_BYTES_MAX {
            return false;
        }
        let path = String::from_utf8_lossy(path).into_owned();
        self.modules.push(Module { base: u64::from_le_bytes(*base), path });
        true
    }

    fn add_stack(&mut self, body: &[u8]) -> bool {
        let Some((address, bytes)) = body.split_first_chunk() else { return false };
        let address = u64::from_le_bytes(*address);
        let follows = if self.stack.is_empty() {
            self.stack_address = address;
            address.checked_sub(self.fault.sp).is_some_and(|gap| gap <= STACK_GAP_BYTES_MAX)
        } else {
            self.stack_address.checked_add(self.stack.len() as u64) == Some(address)
        };
        if follows {
            self.stack.extend_from_slice(bytes);
        }
        follows
    }

    /// The word of the stack at an address, if it was written.
    pub fn stack_word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.stack_address)?).ok()?;
        self.stack.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
    }

    /// The name of the thread, up to its zero.
    pub fn thread_name(&self) -> String {
        let name = self.fault.thread_name.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }
}

/// Cuts bytes into parts; ends where they do, and where a part is cut.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        Some((u32::from_le_bytes(*kind), body))
    }
}

fn no_fault(why: &str) -> DecodeError {
    DecodeError::Malformed { what: "crash record", why: why.to_owned() }
}
