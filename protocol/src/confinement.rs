//! What confines a shim, a bit each, for its hello and for `ps`. Numbers are on the wire and never change.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of measures in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Confinement(u64);

macro_rules! measures {
    ($($(#[doc = $doc:literal])+ $name:ident = $bit:literal, $word:literal;)+) => {
        impl Confinement {
            $($(#[doc = $doc])+ pub const $name: Self = Self(1 << $bit);)+

            /// Every measure there is, with its word for people, in the order in which a shim takes them.
            pub const MEASURES: &'static [(Self, &'static str)] = &[$((Self::$name, $word)),+];
        }
    };
}

measures! {
    /// Only the control socket came in, the host's end is this process's end, no core is written.
    BASIC = 0, "basic";
    /// A user id without any right, no groups.
    IDENTITY = 1, "identity";
    /// A user namespace, so that no capability means anything outside.
    USER_NAMESPACE = 2, "user namespace";
    /// A root of its own, read-only, with libraries and granted directories only.
    ROOT = 3, "root";
    /// Sees no process but its own.
    PID_NAMESPACE = 4, "pid namespace";
    /// An empty network, without even a loopback that is up.
    NETWORK_NAMESPACE = 5, "network namespace";
    /// No System V objects and message queues of others.
    IPC_NAMESPACE = 6, "ipc namespace";
    /// A host name of its own.
    UTS_NAMESPACE = 7, "uts namespace";
    /// Bounds on memory, threads, descriptors, files.
    RESOURCE_LIMITS = 8, "resource limits";
    /// Neither has nor can gain a capability.
    NO_CAPABILITIES = 9, "no capabilities";
    /// Whatever is executed gains nothing.
    NO_NEW_PRIVILEGES = 10, "no new privileges";
    /// Memory that was writable never becomes executable.
    NO_NEW_CODE = 11, "no new code";
    /// Landlock: the file system.
    LANDLOCK_FILES = 12, "landlock files";
    /// Landlock: TCP.
    LANDLOCK_NETWORK = 13, "landlock network";
    /// Landlock: abstract sockets and signals.
    LANDLOCK_SCOPES = 14, "landlock scopes";
    /// The list of allowed system calls.
    SECCOMP = 15, "seccomp";
    /// A control group bounds it with whatever it starts. The host's own doing, never said by a shim.
    CONTROL_GROUP = 16, "control group";
}

impl Confinement {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// As it came over the wire. Bits that this version does not know are kept.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As it goes over the wire.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` is in force.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// All of this but `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The words of the measures in the set, in order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::MEASURES.iter().filter(move |(measure, _)| self.contains(*measure)).map(|(_, word)| *word)
    }
}

impl BitOr for Confinement {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Confinement {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for word in self.words() {
            write!(f, "{}{word}", if first { "" } else { ", " })?;
            first = false;
        }
        if first { f.write_str("none") } else { Ok(()) }
    }
}
