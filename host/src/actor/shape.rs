//! What a module declares, checked before any of it is compiled or run: imports, exports, memory, tables.
//! Pure: it reads the module's description and nothing else.

pub(super) use cofferdam_claims::MODULE_BYTES_MAX;
use wasmer::{ExternType, FunctionType, ModuleInfo, Type, WASM_PAGE_SIZE};

use super::ActorError;
use super::clock::memory_pages_max;
use super::imports::Import;
use crate::words::ActorLimits;

const IMPORTS_MAX: u64 = 1_000;
const EXPORTS_MAX: u64 = 10_000;
const TABLES_MAX: u64 = 16;

pub(super) const MEMORY: &str = "memory";
pub(super) const GUEST_CALL: &str = "__guest_call";
/// Run once in each instance, in this order, when present.
pub(super) const STARTERS: [&str; 3] = ["_initialize", "_start", "wapc_init"];

/// What the host needs to know of a module that it accepts.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// In the order of the module's imports.
    pub(super) imports: Vec<Import>,
    /// Which of [`STARTERS`] it exports.
    pub(super) starters: Vec<&'static str>,
    /// Whether it answers calls; otherwise it is a WASI command.
    pub(super) has_guest_call: bool,
}

impl Shape {
    /// Accepts or refuses a module by its description.
    pub(super) fn of(info: &ModuleInfo, limits: &ActorLimits) -> Result<Self, ActorError> {
        check_count("imports", info.imports.len(), IMPORTS_MAX)?;
        check_count("exports", info.exports.len(), EXPORTS_MAX)?;
        check_count("tables", info.tables.len(), TABLES_MAX)?;
        let imports = info.imports().map(|import| Import::resolve(&import)).collect::<Result<_, _>>()?;
        check_sizes(info, limits)?;
        if !matches!(export(info, MEMORY), Some(ExternType::Memory(_))) {
            return Err(ActorError::NoMemory);
        }
        let has_guest_call = check_export(info, GUEST_CALL, &[Type::I32, Type::I32], &[Type::I32])?;
        let mut starters = Vec::new();
        for name in STARTERS {
            if check_export(info, name, &[], &[])? {
                starters.push(name);
            }
        }
        if !has_guest_call && !starters.contains(&"_start") {
            return Err(ActorError::NoEntry);
        }
        Ok(Self { imports, starters, has_guest_call })
    }
}

fn check_count(what: &'static str, count: usize, limit: u64) -> Result<(), ActorError> {
    let count = count as u64;
    if count > limit { Err(ActorError::TooMany { what, count, limit }) } else { Ok(()) }
}

fn check_sizes(info: &ModuleInfo, limits: &ActorLimits) -> Result<(), ActorError> {
    check_count("memories", info.memories.len(), 1)?;
    for memory in info.memories.values() {
        let bytes = u64::from(memory.minimum.0) * WASM_PAGE_SIZE as u64;
        if memory.minimum.0 > memory_pages_max(limits) {
            return Err(ActorError::MemoryTooLarge { bytes, limit: limits.memory_bytes_max });
        }
    }
    for table in info.tables.values() {
        if table.minimum > limits.table_elements_max {
            let (elements, limit) = (table.minimum, limits.table_elements_max);
            return Err(ActorError::TableTooLarge { elements, limit });
        }
    }
    Ok(())
}

fn export(info: &ModuleInfo, name: &str) -> Option<ExternType> {
    info.exports().find(|export| export.name() == name).map(|export| export.ty().clone())
}

/// Whether the module exports the function; wrong signatures are errors.
fn check_export(info: &ModuleInfo, name: &'static str, params: &[Type], results: &[Type]) -> Result<bool, ActorError> {
    let expected = if params.is_empty() { "() -> ()" } else { "(i32, i32) -> i32" };
    match export(info, name) {
        None => Ok(false),
        Some(ExternType::Function(ty)) if ty.params() == params && ty.results() == results => Ok(true),
        Some(ExternType::Function(ty)) => Err(ActorError::ExportSignature { name, expected, found: signature(&ty) }),
        Some(other) => Err(ActorError::ExportSignature { name, expected, found: in_words(&other).to_owned() }),
    }
}

/// What is exported, where only a function will do.
fn in_words(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Function(_) => "a function",
        ExternType::Global(_) => "a global",
        ExternType::Table(_) => "a table",
        ExternType::Memory(_) => "a memory",
        ExternType::Tag(_) => "a tag",
    }
}

/// A signature as people write it.
pub(super) fn signature(ty: &FunctionType) -> String {
    let list = |types: &[Type]| types.iter().map(|ty| format!("{ty:?}").to_lowercase()).collect::<Vec<_>>().join(", ");
    match ty.results() {
        [one] => format!("({}) -> {}", list(ty.params()), format!("{one:?}").to_lowercase()),
        many => format!("({}) -> ({})", list(ty.params()), list(many)),
    }
}
