//! From a record to a backtrace.

use std::convert::Infallible;
use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;

use cofferdam_channel::control::ControlSender;
use cofferdam_channel::protocol::control::{Backtrace, Frame, ShimMessage};
use cofferdam_channel::protocol::crash::CrashRecord;
use cofferdam_channel::protocol::limits::{FRAMES_MAX, clip};
use framehop::{CacheNative, FrameAddress, MayAllocateDuringUnwind, UnwindRegsNative, Unwinder, UnwinderNative};

use super::files::{self, HandedOver, Kind, Loaded};
use super::symbols::{Says, Symbols};
use crate::fault::ShimFault;
use crate::sealed::SealedLibrary;
use crate::serve;

/// Says where the process was that left `record`, and ends this one.
pub(crate) fn explain(
    record: &[u8],
    library: &OwnedFd,
    program: OwnedFd,
    sender: &ControlSender,
) -> Result<Infallible, ShimFault> {
    let backtrace = match CrashRecord::read(record) {
        Ok(record) => {
            let library = SealedLibrary::map(library).ok().map(|library| library.to_vec());
            backtrace(&record, HandedOver { library, program: files::read_file(&File::from(program)) })
        }
        Err(error) => remark(&error.to_string()),
    };
    sender.send(&ShimMessage::Explained(backtrace))?;
    serve::exit(0)
}

/// A module whose file makes sense.
struct Known<'a> {
    kind: Kind,
    place: Range<u64>,
    symbols: Symbols<'a>,
}

impl<'a> Known<'a> {
    fn of(loaded: &'a Loaded) -> Option<Self> {
        Some(Self { kind: loaded.kind, place: loaded.place()?, symbols: Symbols::of(loaded)? })
    }
}

fn backtrace(record: &CrashRecord, handed: HandedOver) -> Backtrace {
    if record.modules.is_empty() {
        return remark("the record says nothing of what was loaded");
    }
    let modules = files::find(&record.modules, handed);
    let (addresses, cut) = unwind(record, &modules);
    let known: Vec<_> = modules.iter().filter_map(Known::of).collect();
    let mut frames: Vec<Frame> = Vec::new();
    for address in addresses {
        frames.extend(frames_at(address, &known));
    }
    let too_many = frames.len() > FRAMES_MAX;
    frames.truncate(FRAMES_MAX);
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(about_symbols(&known).map(str::to_owned));
    if too_many || cut == Cut::TooDeep {
        remarks.push(format!("further frames than these {FRAMES_MAX} are left out"));
    } else if let Cut::At(why) = cut {
        remarks.push(format!("the stack could not be followed any further: {why}"));
    }
    Backtrace { frames, remark: (!remarks.is_empty()).then(|| clip(&remarks.join("; ")).to_owned()) }
}

/// Why there are no more addresses.
#[derive(PartialEq, Eq)]
enum Cut {
    /// There are none.
    No,
    TooDeep,
    At(String),
}

/// Where it was executing, and where each function would have returned to.
fn unwind(record: &CrashRecord, modules: &[Loaded]) -> (Vec<FrameAddress>, Cut) {
    let mut unwinder = UnwinderNative::<Vec<u8>, MayAllocateDuringUnwind>::new();
    for module in modules.iter().filter_map(Loaded::for_unwinding) {
        unwinder.add_module(module);
    }
    let mut cache = CacheNative::<MayAllocateDuringUnwind>::new();
    let mut read = |address| record.stack_word(address).ok_or(());
    let fault = &record.fault;
    let mut found = unwinder.iter_frames(fault.pc, registers(record), &mut cache, &mut read);
    let mut addresses = Vec::new();
    loop {
        match found.next() {
            Ok(Some(_)) if addresses.len() == FRAMES_MAX => return (addresses, Cut::TooDeep),
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return (addresses, Cut::No),
            Err(framehop::Error::CouldNotReadStack(address)) if address >= record.stack_address => {
                let kept = format!("only {} KiB of it were recorded", record.stack.len() >> 10);
                return (addresses, Cut::At(kept));
            }
            Err(error) => return (addresses, Cut::At(error.to_string())),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn registers(record: &CrashRecord) -> UnwindRegsNative {
    UnwindRegsNative::new(record.fault.pc, record.fault.sp, record.fault.fp)
}

#[cfg(target_arch = "aarch64")]
fn registers(record: &CrashRecord) -> UnwindRegsNative {
    UnwindRegsNative::new(record.fault.lr, record.fault.sp, record.fault.fp)
}

/// The functions at an address: several when code was inlined.
fn frames_at(address: FrameAddress, known: &[Known<'_>]) -> Vec<Frame> {
    let lookup = address.address_for_lookup();
    match known.iter().find(|module| module.place.contains(&lookup)) {
        Some(module) => module.symbols.frames(address.address(), lookup - module.place.start),
        None => vec![Frame { address: address.address(), ..Frame::default() }],
    }
}

fn about_symbols(known: &[Known<'_>]) -> Option<&'static str> {
    let Some(library) = known.iter().find(|module| module.kind == Kind::Library) else {
        return Some("the library was not loaded yet, or not any more");
    };
    match library.symbols.says() {
        Says::Lines => None,
        Says::Names | Says::Nothing if !library.symbols.is_readable() => {
            Some("the library's debug information is compressed, which is not read here: there are no lines")
        }
        Says::Names => Some("the library has no debug information: there are names, and no lines"),
        Says::Nothing => Some(
            "the library was stripped of its symbols: its functions have no names, only offsets; build it without \
             strip to see them",
        ),
    }
}

fn remark(words: &str) -> Backtrace {
    Backtrace { frames: Vec::new(), remark: Some(clip(words).to_owned()) }
}
