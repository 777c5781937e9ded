//! The clock that a guest looks at, and the limits under which wasmer allocates for it.
//!
//! A guest asks for the time by `memory.grow 0` (see [`super::meter`]). Each instance has a store, each store its own
//! tunables, and those make the guest's memory: so its `grow` can know the deadline of the call it serves.
//! Nothing here decides what a missed deadline means.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmer::sys::Tunables;
use wasmer::sys::vm::{LinearMemory, VMMemory, VMMemoryDefinition, VMOwnedMemory, VMTable, VMTableDefinition};
use wasmer::{MemoryError, MemoryStyle, MemoryType, Pages, TableStyle, TableType, WASM_PAGE_SIZE};

use crate::words::{ActorLimits, Deadline};

/// The deadline of the call that an instance serves. Written by the thread that runs the guest, before it runs.
#[derive(Debug)]
pub(super) struct CallClock {
    deadline_ns: AtomicU64,
    refused: AtomicBool,
}

impl CallClock {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self { deadline_ns: AtomicU64::new(deadline.as_monotonic_ns()), refused: AtomicBool::new(false) }
    }

    /// Begins a call.
    pub(super) fn start(&self, deadline: Deadline) {
        self.deadline_ns.store(deadline.as_monotonic_ns(), Ordering::Relaxed);
        self.refused.store(false, Ordering::Relaxed);
    }

    /// The deadline of the call being served.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::from_monotonic_ns(self.deadline_ns.load(Ordering::Relaxed))
    }

    /// Whether the deadline has passed. Remembers a yes.
    pub(super) fn passed(&self) -> bool {
        let passed = self.deadline().expired();
        if passed {
            self.refused.store(true, Ordering::Relaxed);
        }
        passed
    }

    /// Whether the guest was told during this call that its deadline has passed.
    pub(super) fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
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
        if self.clock.passed() {
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
