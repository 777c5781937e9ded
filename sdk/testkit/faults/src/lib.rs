//! What the process of a provider can do wrong, as a closed list, and code that does it. Never shipped.
//!
//! A [`Fault`] is done by the library ([`LibraryFault`], acted out by [`act`]) or by the shim itself ([`ShimFault`], and
//! [`LaneFault`] where calls go through shared memory, acted out by the program `cofferdam-rogue-shim`), at a [`Stage`] of its
//! life. Both together are a [`Cell`] of the fault matrix, which `tests/system/matrix` walks. A fault without a stage does
//! not compile.
//!
//! If you write a provider: call [`act`] in a build of it for tests, and see what a host makes of it.
//!
//! Nothing here may harm the machine of whoever runs the tests. Start reading at `list.rs`.
#![deny(unsafe_code)]

mod acts;
pub mod deaths;
mod disguise;
mod list;

use std::fmt;

pub use acts::{SLOW, act};
pub use disguise::disguised;
pub use list::{LaneFault, LibraryFault, ShimFault};

/// How far the process has come when it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has not said hello.
    Greeting,
    /// It was told what to load, and has not said that it did.
    Loading,
    /// It was told of a link, and has not answered.
    Binding,
    /// It takes calls and has none; it was asked how it is.
    Ready,
    /// A call is in it.
    Calling,
    /// It was told to end.
    Draining,
    /// It is a further start of a provider whose process has died; before it says hello, or while it is loaded.
    Restarting,
}

/// Something a process does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The library does it, in the process of an honest shim.
    Library(LibraryFault),
    /// The shim does it, and is not confined.
    Shim(ShimFault),
    /// The same, in the memory of its lanes: only where it has some.
    Lane(LaneFault),
}

/// A fault at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// What is done.
    pub fault: Fault,
    /// When.
    pub stage: Stage,
}

impl Stage {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 7] =
        [Self::Greeting, Self::Loading, Self::Binding, Self::Ready, Self::Calling, Self::Draining, Self::Restarting];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Loading => "loading",
            Self::Binding => "binding",
            Self::Ready => "ready",
            Self::Calling => "calling",
            Self::Draining => "draining",
            Self::Restarting => "restarting",
        }
    }

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

impl Fault {
    /// All of them, the library's first and those of lanes last.
    pub fn all() -> impl Iterator<Item = Self> {
        let library = LibraryFault::ALL.iter().map(|fault| Self::Library(*fault));
        let shim = ShimFault::ALL.iter().map(|fault| Self::Shim(*fault));
        library.chain(shim).chain(LaneFault::ALL.iter().map(|fault| Self::Lane(*fault)))
    }

    /// The fault of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|fault| fault.name() == name)
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Library(fault) => fault.name(),
            Self::Shim(fault) => fault.name(),
            Self::Lane(fault) => fault.name(),
        }
    }

    /// When it is done; never empty.
    pub const fn stages(self) -> &'static [Stage] {
        match self {
            Self::Library(fault) => fault.stages(),
            Self::Shim(fault) => fault.stages(),
            Self::Lane(fault) => fault.stages(),
        }
    }
}

impl Cell {
    /// The whole matrix.
    pub fn all() -> impl Iterator<Item = Self> {
        Fault::all().flat_map(|fault| fault.stages().iter().map(move |stage| Self { fault, stage: *stage }))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fault.name(), self.stage.name())
    }
}
