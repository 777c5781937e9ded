//! nkeys by kind: generation, seeds in files, and the typed check that a public key is of a kind.
//!
//! An nkey says in its first letter what it stands for, so a key in the wrong place is an error before any signature
//! is looked at. No text made here ever contains a seed, not even a wrong one.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nkeys::{KeyPair, KeyPairType};

use crate::files::{create_private, open_file};

/// A seed file is one line of 58 characters; anything longer than this is some other file.
const SEED_FILE_BYTES_MAX: u64 = 4096;

/// What a key stands for. The letter is the first of its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// `A`: an account, which issues (signs) the claims of actors and providers.
    Account,
    /// `M`: an actor, a WebAssembly module.
    Actor,
    /// `V`: a provider, a service.
    Provider,
    /// `N`: a host, a server.
    Host,
    /// `O`: an operator, which vouches for accounts.
    Operator,
}

/// Why a key could not be made, read, or used in its place.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no public key at all.
    #[error("{text:?} is not a public key: {why}")]
    NotAKey {
        /// The text, cut to a length that fits a line.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// It has the length of a public key, and a letter of it is wrong.
    #[error("{key:?} is not a public key: its checksum or prefix is wrong")]
    Checksum {
        /// The text.
        key: String,
    },
    /// A good key in the wrong place.
    #[error("{key} is {found}, where {expected} is needed", found = article(*.found), expected = article(Some(*.expected)))]
    WrongKind {
        /// The public key.
        key: String,
        /// What the place needs.
        expected: KeyKind,
        /// What the key is; `None` for a kind we never use (user, cluster, curve).
        found: Option<KeyKind>,
    },
    /// The text is no seed. The text itself is a secret and is left out.
    #[error("{origin} holds no seed: {why}")]
    NotASeed {
        /// Where the text came from: a file, or "the seed given".
        origin: String,
        /// What is wrong with it.
        why: String,
    },
    /// The word names no kind of key.
    #[error(
        "{word:?} is no kind of key; use account, actor (or module), provider (or service), host (or server), operator"
    )]
    UnknownKind {
        /// The word.
        word: String,
    },
    /// The pair holds only the public half, which cannot sign.
    #[error("the key pair of {key} has no seed, so it cannot sign")]
    NoSeed {
        /// The public key.
        key: String,
    },
    /// The seed file cannot be read or written.
    #[error("cannot {act} the seed file {path}", path = .path.display())]
    File {
        /// `read` or `write`.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl KeyKind {
    /// Every kind, in the order of their letters' usual listing.
    pub const ALL: [KeyKind; 5] = [Self::Account, Self::Actor, Self::Provider, Self::Host, Self::Operator];

    /// The first letter of a public key of this kind.
    pub fn letter(self) -> char {
        match self {
            Self::Account => 'A',
            Self::Actor => 'M',
            Self::Provider => 'V',
            Self::Host => 'N',
            Self::Operator => 'O',
        }
    }

    /// The kind of a public key, whose checksum is checked too.
    pub fn of(public_key: &str) -> Result<Option<KeyKind>, KeyError> {
        let not_a_key = |why: &str| KeyError::NotAKey { text: shown(public_key), why: why.to_owned() };
        if public_key.len() != 56 {
            return Err(not_a_key("a public key has 56 characters"));
        }
        let pair = KeyPair::from_public_key(public_key).map_err(|_| KeyError::Checksum { key: shown(public_key) })?;
        Ok(Self::from_nkeys(&pair.key_pair_type()))
    }

    /// That `public_key` is a key of this kind.
    pub fn check(self, public_key: &str) -> Result<(), KeyError> {
        match Self::of(public_key)? {
            Some(kind) if kind == self => Ok(()),
            found => Err(KeyError::WrongKind { key: public_key.to_owned(), expected: self, found }),
        }
    }

    /// A new random key pair of this kind.
    pub fn generate(self) -> KeyPair {
        KeyPair::new(self.to_nkeys())
    }

    fn to_nkeys(self) -> KeyPairType {
        match self {
            Self::Account => KeyPairType::Account,
            Self::Actor => KeyPairType::Module,
            Self::Provider => KeyPairType::Service,
            Self::Host => KeyPairType::Server,
            Self::Operator => KeyPairType::Operator,
        }
    }

    fn from_nkeys(kind: &KeyPairType) -> Option<KeyKind> {
        Self::ALL.into_iter().find(|k| k.to_nkeys() == *kind)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Actor => "actor",
            Self::Provider => "provider",
            Self::Host => "host",
            Self::Operator => "operator",
        })
    }
}

impl FromStr for KeyKind {
    type Err = KeyError;

    fn from_str(word: &str) -> Result<Self, KeyError> {
        match word.to_ascii_lowercase().as_str() {
            "account" => Ok(Self::Account),
            "actor" | "module" => Ok(Self::Actor),
            "provider" | "service" => Ok(Self::Provider),
            "host" | "server" => Ok(Self::Host),
            "operator" => Ok(Self::Operator),
            _ => Err(KeyError::UnknownKind { word: word.to_owned() }),
        }
    }
}

/// The key pair of a seed, which must be of the kind wanted.
pub fn from_seed(kind: KeyKind, seed: &str) -> Result<KeyPair, KeyError> {
    seed_pair(kind, seed, "the seed given")
}

/// Reads a seed file (one line) and checks its kind.
pub fn load_seed(kind: KeyKind, path: &Path) -> Result<KeyPair, KeyError> {
    let failed = |source| KeyError::File { act: "read", path: path.to_owned(), source };
    let mut text = String::new();
    let file = open_file(path).map_err(failed)?;
    file.take(SEED_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let origin = path.display().to_string();
    if text.trim().is_empty() {
        return Err(KeyError::NotASeed { origin, why: "it is empty".to_owned() });
    }
    seed_pair(kind, text.trim(), &origin)
}

/// Writes the seed into a new file that only its owner can read. An existing file is never replaced: a lost seed is
/// a lost identity.
pub fn save_seed(pair: &KeyPair, path: &Path) -> Result<(), KeyError> {
    let seed = pair.seed().map_err(|_| KeyError::NoSeed { key: pair.public_key() })?;
    let failed = |source| KeyError::File { act: "write", path: path.to_owned(), source };
    // In one step: half a seed is none, and its file would be in the way of the next attempt.
    create_private(path, format!("{seed}\n").as_bytes()).map_err(failed)
}

/// That this pair can sign and is of the kind.
pub(crate) fn check_signer(pair: &KeyPair, kind: KeyKind) -> Result<(), KeyError> {
    kind.check(&pair.public_key())?;
    match pair.seed() {
        Ok(_) => Ok(()),
        Err(_) => Err(KeyError::NoSeed { key: pair.public_key() }),
    }
}

fn seed_pair(kind: KeyKind, seed: &str, origin: &str) -> Result<KeyPair, KeyError> {
    let not_a_seed = |why: &str| KeyError::NotASeed { origin: origin.to_owned(), why: why.to_owned() };
    if seed.len() != 58 {
        return Err(not_a_seed("a seed has 58 characters and begins with S"));
    }
    let pair = KeyPair::from_seed(seed).map_err(|_| not_a_seed("its checksum or prefix is wrong"))?;
    // nkeys takes an unknown prefix for an operator; a seed that does not read back as itself is refused.
    if pair.seed().ok().as_deref() != Some(seed) {
        return Err(not_a_seed("its prefix is of no kind"));
    }
    kind.check(&pair.public_key())?;
    Ok(pair)
}

/// A seed given where a public key belongs is still a secret.
fn shown(text: &str) -> String {
    let looks_like_a_seed = text.starts_with(['S', 's']) && text.len() > 20;
    if looks_like_a_seed { "(a seed, not shown)".to_owned() } else { text.chars().take(64).collect() }
}

fn article(kind: Option<KeyKind>) -> String {
    match kind {
        Some(kind @ (KeyKind::Account | KeyKind::Actor | KeyKind::Operator)) => {
            format!("an {kind} key ({}…)", kind.letter())
        }
        Some(kind) => format!("a {kind} key ({}…)", kind.letter()),
        None => "a key of another kind".to_owned(),
    }
}
