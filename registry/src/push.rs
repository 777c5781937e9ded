//! Pushing: the two blobs, each unless it is there already, and last the manifest that names them, so that a tag never
//! leads to something that isn't whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use oci_client::RegistryOperation;
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use reqwest::header::HeaderValue;

use crate::config::RegistryConfig;
use crate::digest::Digest;
use crate::error::Fault;
use crate::media::{Kind, Wanted};
use crate::progress::Progress;
use crate::reference::Reference;
use crate::wire::Session;

/// What is told of at a time.
const PIECE_BYTES: usize = 256 << 10;
const CONFIG: &[u8] = b"{}";

/// What was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What its first bytes say it is.
    pub kind: Kind,
    /// Of the manifest: `REGISTRY/REPOSITORY@` and this means these bytes for ever.
    pub manifest: Digest,
    /// Of the bytes.
    pub digest: Digest,
}

/// One push.
pub(crate) struct Push<'a> {
    pub(crate) config: &'a RegistryConfig,
    pub(crate) reference: &'a Reference,
    pub(crate) bytes: Bytes,
    pub(crate) progress: Arc<dyn Progress>,
}

impl Push<'_> {
    pub(crate) async fn run(self) -> Result<Pushed, Fault> {
        let wanted = Wanted::Any;
        let kind = Kind::of(&self.bytes);
        let kind = kind.ok_or_else(|| Fault::NotThat { wanted, why: "its bytes are neither".to_owned() })?;
        let (bytes, bytes_max) = (self.bytes.len() as u64, self.config.sizes.of(Wanted::Only(kind)));
        if bytes > bytes_max {
            return Err(Fault::TooLarge { what: "the file", bytes, bytes_max });
        }
        let session = Session::open(self.config, self.reference).await?;
        self.authorize(&session).await?;
        self.blob(&session, Bytes::from_static(CONFIG)).await?;
        self.blob(&session, self.bytes.clone()).await?;
        let manifest = Bytes::from(manifest(kind, &self.bytes));
        self.name(&session, &manifest).await?;
        Ok(Pushed { kind, manifest: Digest::of(&manifest), digest: Digest::of(&self.bytes) })
    }

    async fn authorize(&self, session: &Session) -> Result<(), Fault> {
        let mut attempts = self.config.retry.begin();
        while let Err(fault) = session.authorize(RegistryOperation::Push).await {
            attempts.again(fault, &*self.progress).await?;
        }
        Ok(())
    }

    async fn blob(&self, session: &Session, bytes: Bytes) -> Result<(), Fault> {
        let mut attempts = self.config.retry.begin();
        while let Err(fault) = self.put(session, &bytes).await {
            attempts.again(fault, &*self.progress).await?;
        }
        Ok(())
    }

    async fn put(&self, session: &Session, bytes: &Bytes) -> Result<(), Fault> {
        let (digest, total_bytes) = (Digest::of(bytes).to_string(), bytes.len() as u64);
        let there = session.client.blob_exists(&session.place, &digest).await;
        if there.map_err(|error| session.fault(error))? {
            return Ok(());
        }
        self.progress.begins(total_bytes);
        let pieces = pieces(bytes.clone(), self.progress.clone());
        let put = session.client.push_blob_stream(&session.place, pieces, &digest, Some(total_bytes)).await;
        put.map(drop).map_err(|error| session.fault(error))
    }

    /// Has the tag mean this manifest.
    async fn name(&self, session: &Session, manifest: &Bytes) -> Result<(), Fault> {
        let mut attempts = self.config.retry.begin();
        loop {
            let media_type = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
            match session.client.push_manifest_raw(&session.place, manifest.clone(), media_type).await {
                Ok(_address) => return Ok(()),
                Err(error) => attempts.again(session.fault(error), &*self.progress).await?,
            }
        }
    }
}

/// The bytes in pieces, told of as they are taken.
fn pieces(
    bytes: Bytes,
    progress: Arc<dyn Progress>,
) -> impl futures_util::Stream<Item = Result<Bytes, oci_client::errors::OciDistributionError>> + Send + 'static {
    let total_bytes = bytes.len() as u64;
    stream::unfold(bytes, move |mut rest| {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        progress.at(total_bytes - rest.len() as u64);
        async move { (!piece.is_empty()).then_some((Ok(piece), rest)) }
    })
}

/// The same bytes give the same manifest, always, so pushing again changes nothing.
fn manifest(kind: Kind, bytes: &[u8]) -> Vec<u8> {
    let describe = |media_type: &str, bytes: &[u8]| OciDescriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes).to_string(),
        size: i64::try_from(bytes.len()).expect("no file is that large"),
        ..OciDescriptor::default()
    };
    let manifest = OciImageManifest {
        schema_version: 2,
        media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
        config: describe(kind.config(), CONFIG),
        layers: vec![describe(kind.layer(), bytes)],
        subject: None,
        artifact_type: None,
        annotations: None::<BTreeMap<String, String>>,
    };
    serde_json::to_vec(&manifest).expect("a manifest is plain data")
}
