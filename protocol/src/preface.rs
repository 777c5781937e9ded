//! The first bytes on the control socket. The host speaks first, because the shim learns its generation from it and
//! states the same. Their shape never changes.

use crate::DecodeError;

/// The lowest version of the protocol that this build speaks.
pub const VERSION_MIN: u16 = 1;
/// The highest version of the protocol that this build speaks.
pub const VERSION_MAX: u16 = 1;
/// How many bytes a preface has.
pub const PREFACE_BYTES: usize = 32;

/// Not text, and broken by anything that mangles line ends or the eighth bit.
const MAGIC: [u8; 8] = *b"\x89cofdam\n";

/// Optional abilities, a bit each. What both sides have is in force; unknown bits are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub u64);

impl Features {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// The host calls in lanes of shared memory, which it sends before [`crate::control::HostMessage::Load`].
    pub const LANES: Self = Self(1);

    /// Whether all of `other` are among them.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both have.
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Which end of the channel speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The broker.
    Host = 0,
    /// The process that holds a provider.
    Shim = 1,
}

/// What each side says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preface {
    /// Who speaks.
    pub side: Side,
    /// The lowest version it speaks.
    pub version_min: u16,
    /// The highest version it speaks.
    pub version_max: u16,
    /// What it could do beyond the version.
    pub features: Features,
    /// Which start of the provider this is: a process left over from an earlier one is told apart.
    pub generation: u64,
}

/// What both sides came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The version in force.
    pub version: u16,
    /// The features in force.
    pub features: Features,
}

impl Preface {
    /// What this build says.
    pub const fn ours(side: Side, features: Features, generation: u64) -> Self {
        Self { side, version_min: VERSION_MIN, version_max: VERSION_MAX, features, generation }
    }

    /// magic 8 | version_min 2 | version_max 2 | side 1 | zero 3 | features 8 | generation 8, little-endian.
    pub fn to_bytes(&self) -> [u8; PREFACE_BYTES] {
        let mut bytes = [0; PREFACE_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.version_min.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.version_max.to_le_bytes());
        bytes[12] = self.side as u8;
        bytes[16..24].copy_from_slice(&self.features.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.generation.to_le_bytes());
        bytes
    }

    /// Reads the preface of the peer and agrees with it, or says why not. Reserved bytes are ignored.
    pub fn agree(&self, theirs: &[u8; PREFACE_BYTES]) -> Result<Agreed, DecodeError> {
        let magic: [u8; 8] = array(theirs, 0);
        if magic != MAGIC {
            return Err(DecodeError::Magic { found: magic });
        }
        let expected = match self.side {
            Side::Host => Side::Shim as u8,
            Side::Shim => Side::Host as u8,
        };
        if theirs[12] != expected {
            return Err(DecodeError::Side { found: theirs[12], expected });
        }
        let (min, max) = (u16::from_le_bytes(array(theirs, 8)), u16::from_le_bytes(array(theirs, 10)));
        let version = self.version_max.min(max);
        if min > max || version < self.version_min || version < min {
            let (ours_min, ours_max) = (self.version_min, self.version_max);
            return Err(DecodeError::Version { min, max, ours_min, ours_max });
        }
        let generation = u64::from_le_bytes(array(theirs, 24));
        if self.side == Side::Host && generation != self.generation {
            return Err(DecodeError::Generation { found: generation, expected: self.generation });
        }
        let features = self.features.common(Features(u64::from_le_bytes(array(theirs, 16))));
        Ok(Agreed { version, features })
    }

    /// The generation that a preface states: the shim learns its own from the host's. Nothing was checked yet, so it is
    /// only good for building the preface that then agrees, or not.
    pub fn generation_of(theirs: &[u8; PREFACE_BYTES]) -> u64 {
        u64::from_le_bytes(array(theirs, 24))
    }
}

/// `N` bytes at `at`; both are constants of a fixed layout.
pub(crate) fn array<const N: usize, const M: usize>(bytes: &[u8; M], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
