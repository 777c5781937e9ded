//! Media types: what a layer says it is, and what its bytes are. Pure.
//!
//! The names are the reference system's and never change. A generic layer may be either, so bytes are looked at, too.

use std::fmt;

/// A signed WebAssembly module.
pub(crate) const MODULE_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// A provider archive.
pub(crate) const ARCHIVE_LAYER: &str = "application/vnd.wasmcloud.provider.archive.layer.v1+par";
/// What general tools call anything that they push.
pub(crate) const GENERIC_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// What the configurations are called that go with the layers. Their content is `{}`.
pub(crate) const MODULE_CONFIG: &str = "application/vnd.wasmcloud.actor.archive.config";
pub(crate) const ARCHIVE_CONFIG: &str = "application/vnd.wasmcloud.provider.archive.config";

/// What an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A module.
    Actor,
    /// An archive.
    Provider,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing else will do.
    Only(Kind),
    /// An actor or a provider.
    Any,
}

impl Kind {
    /// By the first bytes: a module's magic, gzip's, or the magic of a tar.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const TAR_MAGIC: std::ops::Range<usize> = 257..262;
        match bytes {
            [0, b'a', b's', b'm', ..] => Some(Self::Actor),
            [0x1f, 0x8b, ..] => Some(Self::Provider),
            _ if bytes.get(TAR_MAGIC) == Some(b"ustar") => Some(Self::Provider),
            _ => None,
        }
    }

    pub(crate) fn layer(self) -> &'static str {
        match self {
            Self::Actor => MODULE_LAYER,
            Self::Provider => ARCHIVE_LAYER,
        }
    }

    pub(crate) fn config(self) -> &'static str {
        match self {
            Self::Actor => MODULE_CONFIG,
            Self::Provider => ARCHIVE_CONFIG,
        }
    }
}

impl Wanted {
    /// Whether a layer of this media type may be it.
    pub(crate) fn may_be(self, media_type: &str) -> bool {
        let takes = |kind| self == Self::Any || self == Self::Only(kind);
        match media_type {
            MODULE_LAYER => takes(Kind::Actor),
            ARCHIVE_LAYER => takes(Kind::Provider),
            other => other == GENERIC_LAYER,
        }
    }

    /// Whether these bytes are it.
    pub(crate) fn is(self, found: Option<Kind>) -> bool {
        match self {
            Self::Only(kind) => found == Some(kind),
            Self::Any => found.is_some(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Actor => "actor",
            Self::Provider => "provider archive",
        })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(kind) => kind.fmt(f),
            Self::Any => f.write_str("actor or provider archive"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_they_are() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], Option<Kind>); 6] = [
            (b"\0asm\x01\0\0\0", Some(Kind::Actor)),
            (&[0x1f, 0x8b, 8], Some(Kind::Provider)),
            (&tar, Some(Kind::Provider)),
            (&tar[..260], None),
            (b"<html>", None),
            (b"", None),
        ];
        for (bytes, kind) in cases {
            assert_eq!(Kind::of(bytes), kind);
        }
    }

    #[test]
    fn a_layer_says_what_it_may_be() {
        for (media_type, actor, provider) in [
            (MODULE_LAYER, true, false),
            (ARCHIVE_LAYER, false, true),
            (GENERIC_LAYER, true, true),
            ("text/html", false, false),
        ] {
            assert_eq!(Wanted::Only(Kind::Actor).may_be(media_type), actor, "{media_type}");
            assert_eq!(Wanted::Only(Kind::Provider).may_be(media_type), provider, "{media_type}");
            assert_eq!(Wanted::Any.may_be(media_type), actor || provider, "{media_type}");
        }
    }
}
