//! Why a provider does not get what it asks for, for people: what was asked, and the lines of the manifest that would grant
//! it. One line of text, for it travels through the provider's own words.

use std::fmt;

use super::{Act, Address};
use crate::words::{Access, is_grant_name};

/// Why a provider does not get something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Denial {
    /// What it wanted, such as `listening on 127.0.0.1:80`.
    what: String,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    /// The manifest does not grant it; this would.
    NotGranted { lines: String },
    /// The archive does not state that it needs it.
    NotStated { key: &'static str, stated: Vec<String> },
    /// It is granted for reading only; this would grant more.
    ReadOnly { lines: String },
    /// Secrets are only ever read.
    Secret,
    /// The name is none.
    BadName,
    /// This machine could not keep it to what is granted.
    NoLandlock,
}

impl Denial {
    pub(super) fn address(act: Act, asked: &Address) -> Self {
        let lines = format!("grants: {{{}: [\"{asked}\"]}}", act.key());
        Self { what: format!("{} {asked}", act.doing()), why: Why::NotGranted { lines } }
    }

    pub(super) fn not_stated(act: Act, asked: &Address, stated: &[String]) -> Self {
        let why = Why::NotStated { key: act.key(), stated: stated.to_vec() };
        Self { what: format!("{} {asked}", act.doing()), why }
    }

    pub(super) fn name(name: &str, access: Access) -> Self {
        let access = access.word();
        let lines = format!("grants: {{file: [{{name: {name}, path: /PATH, access: {access}}}]}}");
        let why = if is_grant_name(name) { Why::NotGranted { lines } } else { Why::BadName };
        Self { what: opening(name), why }
    }

    pub(super) fn file_is_read(name: &str) -> Self {
        let lines = format!("grants: {{file: [{{name: {name}, path: /PATH, access: write}}]}}");
        Self { what: format!("changing the file {name:?}"), why: Why::ReadOnly { lines } }
    }

    pub(super) fn secret_is_read(name: &str) -> Self {
        Self { what: format!("changing the secret {name:?}"), why: Why::Secret }
    }

    /// A descriptor of a file could be opened again for more than was granted, unless Landlock refuses it.
    pub fn no_landlock(name: &str) -> Self {
        Self { what: opening(name), why: Why::NoLandlock }
    }

    /// What it wanted, such as `listening on 127.0.0.1:80`.
    pub fn what(&self) -> &str {
        &self.what
    }
}

fn opening(name: &str) -> String {
    let name: String = name.chars().take(64).collect();
    format!("opening the file {name:?}")
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, why } = self;
        let entry = "in the manifest, to the provider's entry in capabilities";
        match why {
            Why::NotGranted { lines } => write!(f, "{what} is not granted; add {entry}: {lines}"),
            Why::ReadOnly { lines } => write!(f, "{what} is not granted, only reading it is; change {entry}: {lines}"),
            Why::NotStated { key, stated } => {
                write!(f, "{what} is not granted: ")?;
                match &**stated {
                    [] => write!(f, "the signed archive states no need of it; sign it with that need"),
                    stated => write!(
                        f,
                        "the signed archive states for {key} {}, and no bound link makes it that; set the link's \
                         values, or sign the archive with that need",
                        stated.join(", ")
                    ),
                }
            }
            Why::Secret => write!(f, "{what} is not possible: secrets are only read"),
            Why::BadName => write!(f, "{what} is not granted: a name is of letters, digits, `.`, `_` and `-`"),
            Why::NoLandlock => write!(
                f,
                "{what} is refused: without Landlock a file that was opened for reading could be opened again for \
                 writing; run a kernel with Landlock, or grant a dir"
            ),
        }
    }
}
