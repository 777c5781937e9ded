//! What memory can do: 64 bytes to another process and back, through memory that both map, both spinning on a word of it and
//! doing nothing else. No call can be faster, and nobody can afford to wait so.
#![allow(unsafe_code, reason = "memory that two processes share")]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::parent_id;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::unistd::ftruncate;

use crate::processor::{Which, pin};
use crate::role::{Role, standard_input};
use crate::rounds::micros;

pub(crate) const ROLE: &str = "--ring";

/// Looks before the processor is left to whoever else wants it; the other side may be one of them.
const LOOKS: u32 = 10_000;
const WORDS: usize = 8;

/// One direction: a message, and its number when it is complete. The number has a cache line of its own.
#[repr(C, align(64))]
struct Way {
    words: [AtomicU64; WORDS],
    number: Number,
}

#[repr(C, align(64))]
struct Number(AtomicU64);

/// The whole of what is shared.
#[repr(C)]
struct Shared {
    there: Way,
    back: Way,
}

/// For one round: between rounds nobody is to spin.
pub(crate) struct Ring {
    shared: &'static Shared,
    calls: u64,
    _other: Role,
}

impl Ring {
    pub(crate) fn start() -> Self {
        Self::try_start().expect("memory can be shared with a child process")
    }

    fn try_start() -> io::Result<Self> {
        let memory = memfd_create("ring", MFdFlags::MFD_CLOEXEC)?;
        ftruncate(&memory, size_of::<Shared>() as i64)?;
        let shared = map(&memory)?;
        Ok(Self { shared, calls: 0, _other: Role::start(ROLE, memory)? })
    }

    /// The mean of one call in µs, on a processor that the other side does not use. The first waits until that is there.
    pub(crate) fn round(mut self, calls: u32) -> f64 {
        let round = move || {
            pin(Which::First).expect("a thread may choose a processor of its own");
            self.call();
            let began = Instant::now();
            (0..calls).for_each(|_| self.call());
            micros(began) / f64::from(calls)
        };
        std::thread::spawn(round).join().expect("no panic")
    }

    fn call(&mut self) {
        self.calls += 1;
        self.shared.there.write([7; WORDS], self.calls);
        self.shared.back.read(self.calls, || true).expect("the other side answers as long as it is waited for");
    }
}

impl Way {
    fn write(&self, message: [u64; WORDS], number: u64) {
        for (word, value) in self.words.iter().zip(message) {
            word.store(value, Ordering::Relaxed);
        }
        self.number.0.store(number, Ordering::Release);
    }

    /// None when there is no reason to go on waiting.
    fn read(&self, number: u64, goes_on: impl Fn() -> bool) -> Option<[u64; WORDS]> {
        while !(0..LOOKS).any(|_| {
            std::hint::spin_loop();
            self.number.0.load(Ordering::Acquire) >= number
        }) {
            if !goes_on() {
                return None;
            }
            std::thread::yield_now();
        }
        Some(self.words.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }
}

/// The other side: sends back what comes, until its parent has gone.
pub(crate) fn serve() -> io::Result<()> {
    pin(Which::Last)?;
    let shared = map(&standard_input()?)?;
    let parent = parent_id();
    for number in 1.. {
        let Some(message) = shared.there.read(number, || parent_id() == parent) else { break };
        shared.back.write(message, number);
    }
    Ok(())
}

/// Mapped for good: a page for each round.
fn map(memory: &OwnedFd) -> io::Result<&'static Shared> {
    let length = NonZeroUsize::new(size_of::<Shared>()).expect("a ring takes memory");
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, placed by the kernel, of a file that has this length and keeps it.
    let mapped = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, memory.as_fd(), 0) }?;
    // SAFETY: it is page-aligned, zeroed, never unmapped, and holds nothing but atomics.
    Ok(unsafe { mapped.cast::<Shared>().as_ref() })
}
