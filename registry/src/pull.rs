//! Pulling: what does the reference mean, which layer is it, is that here already, and if not, fetch it.

use std::time::SystemTime;

use oci_client::manifest::OciImageManifest;

use crate::cache::Cache;
use crate::config::{Offline, RegistryConfig};
use crate::digest::Digest;
use crate::error::{Fault, other_kind};
use crate::index;
use crate::media::{Kind, Wanted};
use crate::progress::Progress;
use crate::reference::{Reference, Version};
use crate::transfer::{Blob, blocking, fetch};
use crate::wire::{MANIFEST_BYTES_MAX, Session, clipped};

/// An artifact that hashes to what the registry's manifest says.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// All of it.
    pub bytes: Vec<u8>,
    /// What its first bytes say it is.
    pub kind: Kind,
    /// Of the manifest: with this, the reference would always mean these bytes.
    pub manifest: Digest,
    /// Of the bytes.
    pub digest: Digest,
    /// Who said what the reference means.
    pub meant_by: Origin,
}

/// Who said what a reference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The registry, just now.
    Registry,
    /// The reference itself, by its digest.
    Digest,
    /// The registry, at an earlier time: it could not be reached.
    Remembered(SystemTime),
}

/// A manifest, and how it was come by.
struct Meant {
    manifest: Vec<u8>,
    by: Origin,
}

/// One pull.
pub(crate) struct Pull<'a> {
    pub(crate) config: &'a RegistryConfig,
    pub(crate) cache: &'a Cache,
    pub(crate) reference: &'a Reference,
    pub(crate) wanted: Wanted,
    pub(crate) progress: &'a dyn Progress,
}

impl Pull<'_> {
    pub(crate) async fn run(self) -> Result<Pulled, Fault> {
        let mut session = None;
        let meant = self.meaning(&mut session).await?;
        let manifest = Digest::of(&meant.manifest);
        let blob = layer(&meant.manifest, self.wanted, self.config.sizes.of(self.wanted))?;
        let bytes = match self.cached(blob).await? {
            Some(bytes) => bytes,
            None => {
                let session = self.session(&mut session).await?;
                fetch(session, self.cache, blob, &self.config.retry, self.progress).await?;
                let gone = || Fault::Broken { why: "what was fetched is gone from the cache".to_owned() };
                self.cached(blob).await?.ok_or_else(gone)?
            }
        };
        let found = Kind::of(&bytes);
        let kind = found.filter(|_| self.wanted.is(found));
        let kind = kind.ok_or_else(|| Fault::NotThat { wanted: self.wanted, why: other_kind(found) })?;
        Ok(Pulled { bytes, kind, manifest, digest: blob.digest, meant_by: meant.by })
    }

    /// A digest that was pulled before is answered by the cache. A tag is asked for each time, because it may have come to
    /// mean something else, and what it last meant stands in where nobody can be asked.
    async fn meaning(&self, session: &mut Option<Session>) -> Result<Meant, Fault> {
        if let Version::Digest(digest) = self.reference.version()
            && let Some(manifest) = self.cached_manifest(*digest).await?
        {
            return Ok(Meant { manifest, by: Origin::Digest });
        }
        let fault = match self.ask(session).await {
            Ok(manifest) => return self.remember(manifest).await,
            Err(fault) => fault,
        };
        if !fault.may_pass() || self.config.offline == Offline::Fail {
            return Err(fault);
        }
        let Some(last) = index::last(self.cache, self.reference) else { return Err(fault) };
        let Some(manifest) = self.cached_manifest(last.manifest).await? else { return Err(fault) };
        tracing::warn!(
            reference = %self.reference,
            manifest = %last.manifest,
            asked_s = last.asked.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
            %fault,
            "what this reference last meant is used, because nobody can be asked"
        );
        Ok(Meant { manifest, by: Origin::Remembered(last.asked) })
    }

    async fn ask(&self, session: &mut Option<Session>) -> Result<Vec<u8>, Fault> {
        let session = self.session(session).await?;
        let mut attempts = self.config.retry.begin();
        loop {
            match session.manifest(self.reference).await {
                Ok(manifest) => return Ok(manifest.to_vec()),
                Err(fault) => attempts.again(fault, self.progress).await?,
            }
        }
    }

    async fn remember(&self, manifest: Vec<u8>) -> Result<Meant, Fault> {
        let (cache, reference, kept) = (self.cache.clone(), self.reference.clone(), manifest.clone());
        let by_digest = matches!(reference.version(), Version::Digest(_));
        let write = move || {
            let digest = cache.keep(&kept)?;
            if by_digest { Ok(()) } else { index::note(&cache, &reference, digest, SystemTime::now()) }
        };
        blocking(write).await??;
        Ok(Meant { manifest, by: if by_digest { Origin::Digest } else { Origin::Registry } })
    }

    async fn session<'s>(&self, session: &'s mut Option<Session>) -> Result<&'s Session, Fault> {
        match session {
            Some(session) => Ok(session),
            None => Ok(session.insert(Session::open(self.config, self.reference).await?)),
        }
    }

    async fn cached_manifest(&self, digest: Digest) -> Result<Option<Vec<u8>>, Fault> {
        let cache = self.cache.clone();
        Ok(blocking(move || cache.read(digest, MANIFEST_BYTES_MAX)).await??)
    }

    async fn cached(&self, blob: Blob) -> Result<Option<Vec<u8>>, Fault> {
        let cache = self.cache.clone();
        Ok(blocking(move || cache.read(blob.digest, blob.bytes)).await??)
    }
}

/// The one layer of a manifest that may be what is wanted.
fn layer(manifest: &[u8], wanted: Wanted, bytes_max: u64) -> Result<Blob, Fault> {
    let not_that = |why: &str| Fault::NotThat { wanted, why: why.to_owned() };
    let manifest: OciImageManifest = serde_json::from_slice(manifest)
        .map_err(|_| not_that("the manifest is not one of a single image or artifact; an index of several is none"))?;
    let mut fitting = manifest.layers.iter().filter(|layer| wanted.may_be(&layer.media_type));
    let layer = match (fitting.next(), fitting.next()) {
        (Some(layer), None) => layer,
        (Some(_), Some(_)) => return Err(not_that("it has several layers that could be it")),
        (None, _) => {
            let types: Vec<String> = manifest.layers.iter().take(3).map(|layer| clipped(&layer.media_type)).collect();
            return Err(not_that(&format!("its layers are of other types: {}", types.join(", "))));
        }
    };
    let digest = layer.digest.parse().map_err(|error| Fault::Protocol {
        why: format!("the digest {:?} of its layer {error}", clipped(&layer.digest)),
    })?;
    match u64::try_from(layer.size) {
        Ok(bytes) if bytes > bytes_max => Err(Fault::TooLarge { what: "its layer", bytes, bytes_max }),
        Ok(bytes) if bytes > 0 => Ok(Blob { digest, bytes }),
        _ => Err(not_that("its layer is empty")),
    }
}

#[cfg(test)]
mod tests;
