//! The clock that a guest looks at, and the limits under which wasmer allocates for it.
//!
//! A guest asks for the time by `memory.grow 0` (see [`super::meter`]). Each instance has a store, each store its own
//! tunables, and those make the guest's memory: so its `grow` can know the deadline of the call it serves.
//! The guest of a call whose caller has gone has no more time either. Nothing here decides what a missed deadline means.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use cofferdam_channel::Cancelled;
use parking_lot::Mutex;

use wasmer::sys::Tunables;
use wasmer::sys::vm::{LinearMemory, VMMemory, VMMemoryDefinition, VMOwnedMemory, VMTable, VMTableDefinition};
use wasmer::{MemoryError, MemoryStyle, MemoryType, Pages, TableStyle, TableType, WASM_PAGE_SIZE};

use crate::words::{ActorLimits, Deadline};

/// What a guest may not spend of its time in one host call: it says what became of the call in it. A twentieth of what it
/// has left, and no more than this.
const RESERVE_MAX: Duration = Duration::from_millis(10);

/// The time of the call that an instance serves. Written by the thread that runs the guest, before it runs.
#[derive(Debug)]
pub(super) struct CallClock {
    began_ns: AtomicU64,
    deadline_ns: AtomicU64,
    cancelled: Mutex<Cancelled>,
    refused: AtomicU8,
}

/// Why a guest has no more time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Deadline,
    CallerGone,
}

const NOT_REFUSED: u8 = 0;

impl CallClock {
    pub(super) fn new(deadline: Deadline, cancelled: &Cancelled) -> Self {
        Self {
            began_ns: AtomicU64::new(Deadline::now().as_monotonic_ns()),
            deadline_ns: AtomicU64::new(deadline.as_monotonic_ns()),
            cancelled: Mutex::new(cancelled.clone()),
            refused: AtomicU8::new(NOT_REFUSED),
        }
    }

    /// Begins a call.
    pub(super) fn start(&self, deadline: Deadline, cancelled: &Cancelled) {
        self.began_ns.store(Deadline::now().as_monotonic_ns(), Ordering::Relaxed);
        self.deadline_ns.store(deadline.as_monotonic_ns(), Ordering::Relaxed);
        *self.cancelled.lock() = cancelled.clone();
        self.refused.store(NOT_REFUSED, Ordering::Relaxed);
    }

    /// Ends it: nothing of the call is kept.
    pub(super) fn end(&self) {
        *self.cancelled.lock() = Cancelled::never().clone();
    }

    fn deadline(&self) -> Deadline {
        Deadline::from_monotonic_ns(self.deadline_ns.load(Ordering::Relaxed))
    }

    /// By when a host call that begins now has to end.
    pub(super) fn nested_deadline(&self, now: Deadline) -> Deadline {
        before(self.deadline(), now)
    }

    /// How long the call has been served.
    pub(super) fn served(&self, now: Deadline) -> Duration {
        now.since(Deadline::from_monotonic_ns(self.began_ns.load(Ordering::Relaxed)))
    }

    /// Whether the caller of the call being served has gone.
    pub(super) fn cancelled(&self) -> Cancelled {
        self.cancelled.lock().clone()
    }

    /// Whether the time is over. Remembers a yes.
    pub(super) fn passed(&self) -> Option<Over> {
        let over = if self.cancelled.lock().is_set() {
            Over::CallerGone
        } else if self.deadline().expired() {
            Over::Deadline
        } else {
            return None;
        };
        self.refused.store(over as u8 + 1, Ordering::Relaxed);
        Some(over)
    }

    /// Why the guest was told during this call that its time is over, if it was.
    pub(super) fn refused(&self) -> Option<Over> {
        match self.refused.load(Ordering::Relaxed) {
            NOT_REFUSED => None,
            refused if refused == Over::CallerGone as u8 + 1 => Some(Over::CallerGone),
            _ => Some(Over::Deadline),
        }
    }
}

/// A moment before `deadline`, for whoever began to wait at `now`.
fn before(deadline: Deadline, now: Deadline) -> Deadline {
    let left = deadline.since(now);
    now.plus(left.saturating_sub((left / 20).min(RESERVE_MAX)))
}

/// A guest's memory, whose `grow` fails once the deadline of the call has passed.
#[derive(Debug)]
pub(super) struct ClockedMemory {
    memory: VMOwnedMemory,
    clock: Arc<CallClock>,
}

impl LinearMemory for ClockedMemory {
    fn ty(&self) -> MemoryType {
        self.memory.ty()
    }

    fn size(&self) -> Pages {
        self.memory.size()
    }

    fn style(&self) -> MemoryStyle {
        self.memory.style()
    }

    fn grow(&mut self, delta: Pages) -> Result<Pages, MemoryError> {
        if self.clock.passed().is_some() {
            return Err(MemoryError::CouldNotGrow { current: self.size(), attempted_delta: delta });
        }
        self.memory.grow(delta)
    }

    fn vmmemory(&self) -> NonNull<VMMemoryDefinition> {
        self.memory.vmmemory()
    }

    fn try_clone(&self) -> Result<Box<dyn LinearMemory + Send + Sync + 'static>, MemoryError> {
        Err(MemoryError::MemoryNotShared)
    }

    fn copy(&self) -> Result<Box<dyn LinearMemory + Send + Sync + 'static>, MemoryError> {
        Err(MemoryError::UnsupportedOperation { message: "an instance is never copied".to_owned() })
    }
}

/// What one store may allocate: the tunables of one instance.
#[derive(Clone, Debug)]
pub(super) struct InstanceTunables {
    pub(super) limits: ActorLimits,
    pub(super) clock: Arc<CallClock>,
}

/// The limit of a memory in pages, rounded down: a guest never gets more than it was granted.
pub(super) fn memory_pages_max(limits: &ActorLimits) -> u32 {
    let pages = limits.memory_bytes_max / WASM_PAGE_SIZE as u64;
    u32::try_from(pages).unwrap_or(u32::MAX).min(Pages::max_value().0)
}

impl InstanceTunables {
    fn memory_type(&self, ty: &MemoryType) -> MemoryType {
        let limit = memory_pages_max(&self.limits);
        let maximum = ty.maximum.map_or(limit, |declared| declared.0.min(limit));
        MemoryType { maximum: Some(Pages(maximum)), ..*ty }
    }

    fn table_type(&self, ty: &TableType) -> TableType {
        let limit = self.limits.table_elements_max;
        TableType { maximum: Some(ty.maximum.map_or(limit, |declared| declared.min(limit))), ..*ty }
    }
}

impl Tunables for InstanceTunables {
    fn memory_style(&self, _: &MemoryType) -> MemoryStyle {
        MemoryStyle::Static
    }

    fn table_style(&self, _: &TableType) -> TableStyle {
        TableStyle::CallerChecksSignature
    }

    fn create_host_memory(&self, ty: &MemoryType, style: &MemoryStyle) -> Result<VMMemory, MemoryError> {
        VMMemory::new(&self.memory_type(ty), style)
    }

    // SAFETY: the requirement of the trait is passed on unchanged: the caller, wasmer, names a definition inside the
    // instance that it is creating.
    unsafe fn create_vm_memory(
        &self,
        ty: &MemoryType,
        style: &MemoryStyle,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        // SAFETY: `definition` is as `from_definition` requires, by this function's own contract.
        let memory = unsafe { VMOwnedMemory::from_definition(&self.memory_type(ty), style, definition) }?;
        Ok(VMMemory(Box::new(ClockedMemory { memory, clock: Arc::clone(&self.clock) })))
    }

    fn create_host_table(&self, ty: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        VMTable::new(&self.table_type(ty), style)
    }

    // SAFETY: as `create_vm_memory`.
    unsafe fn create_vm_table(
        &self,
        ty: &TableType,
        style: &TableStyle,
        definition: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        // SAFETY: `definition` is as `from_definition` requires, by this function's own contract.
        unsafe { VMTable::from_definition(&self.table_type(ty), style, definition) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_call_leaves_a_twentieth_and_at_most_ten_milliseconds() {
        let now = Deadline::from_monotonic_ns(1_000_000_000);
        for (left_us, nested_us) in
            [(2_000_000, 1_990_000), (200_001, 190_001), (200_000, 190_000), (199_980, 189_981), (100, 95), (0, 0)]
        {
            let nested = before(now.plus(Duration::from_micros(left_us)), now);
            assert_eq!(nested.since(now), Duration::from_micros(nested_us), "{left_us} µs");
        }
        // A -> B -> A -> provider: each keeps what it needs to tell the one before.
        let mut deadline = now.plus(Duration::from_secs(2));
        for _ in 0..16 {
            let nested = before(deadline, now);
            assert_eq!(deadline.since(nested), RESERVE_MAX);
            deadline = nested;
        }
        assert_eq!(
            before(now, now.plus(Duration::from_secs(1))),
            now.plus(Duration::from_secs(1)),
            "it is late already"
        );
    }

    #[test]
    fn time_is_over_by_the_deadline_or_when_the_caller_goes() {
        let later = Deadline::after(Duration::from_secs(60));
        let cancelled = Cancelled::new();
        let clock = CallClock::new(later, &cancelled);
        assert_eq!((clock.passed(), clock.refused()), (None, None));
        cancelled.set();
        assert_eq!((clock.passed(), clock.refused()), (Some(Over::CallerGone), Some(Over::CallerGone)));
        clock.start(later, Cancelled::never());
        assert_eq!((clock.passed(), clock.refused()), (None, None));
        clock.start(Deadline::now(), Cancelled::never());
        assert_eq!((clock.passed(), clock.refused()), (Some(Over::Deadline), Some(Over::Deadline)));
    }
}
