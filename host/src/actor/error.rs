//! Why an actor could not be loaded. Each variant says what the module did and what it should do.

use std::path::PathBuf;

use thiserror::Error;

use crate::words::Blame;

/// Why an actor could not be loaded, or the actor runtime not be made.
#[derive(Debug, Error)]
pub enum ActorError {
    /// The module is larger than the host reads.
    #[error("actor {actor}: a module of {bytes} bytes exceeds the limit of {limit} bytes")]
    ModuleTooLarge {
        /// The actor's public key.
        actor: String,
        /// Size of the module.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The bytes are no valid module, or use a proposal that actors may not use.
    #[error("actor {actor}: not a valid WebAssembly module: {message}")]
    NotValid {
        /// The actor's public key.
        actor: String,
        /// The validator's or compiler's words.
        message: String,
    },
    /// It imports what the host does not have.
    #[error(
        "the module imports {name} of {module}, which the host does not offer: build it for waPC or WASI preview 1"
    )]
    UnknownImport {
        /// The module of the import.
        module: String,
        /// The name of the import.
        name: String,
    },
    /// It imports a function of the host under another signature.
    #[error("the module imports {name} of {module} as {found}, which is {expected}")]
    ImportSignature {
        /// The module of the import.
        module: String,
        /// The name of the import.
        name: String,
        /// What the host offers.
        expected: String,
        /// What the module asks for.
        found: String,
    },
    /// Too many of something.
    #[error("the module declares {count} {what}, the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// It has no memory that the host can reach.
    #[error("the module exports no memory by the name `memory`: link it with an exported memory")]
    NoMemory,
    /// It has nothing that can be called.
    #[error("the module exports neither __guest_call nor _start: it is not a waPC actor and not a WASI command")]
    NoEntry,
    /// An export that the host calls has another signature.
    #[error("the module exports {name} as {found}, waPC has {expected}")]
    ExportSignature {
        /// The name of the export.
        name: &'static str,
        /// What waPC has.
        expected: &'static str,
        /// What the module has.
        found: String,
    },
    /// It wants more memory at the start than it may have.
    #[error(
        "the module starts with a memory of {bytes} bytes, the limit is {limit} bytes: raise `limits.memory` of the actor"
    )]
    MemoryTooLarge {
        /// Size it starts with.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It wants a larger table at the start than it may have.
    #[error("the module starts with a table of {elements} elements, the limit is {limit}")]
    TableTooLarge {
        /// Size it starts with.
        elements: u32,
        /// The limit.
        limit: u32,
    },
    /// The first instance could not be made: its own start code failed.
    #[error("actor {actor} could not be started: {message}")]
    Start {
        /// The actor's public key.
        actor: String,
        /// How its start code failed.
        message: String,
    },
    /// The cache directory is not safe: what lies in it is executed.
    #[error("the artifact cache {dir} is refused: {reason}")]
    CacheRefused {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl ActorError {
    /// Whose fault it is.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::CacheRefused { .. } => Blame::Operator,
            _ => Blame::Actor,
        }
    }
}
