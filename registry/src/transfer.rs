//! Fetching one blob into the cache: resumed where the registry can, from the start where it can't, and never of use
//! before it has been hashed whole.

use futures_util::StreamExt as _;
use oci_client::client::{BlobResponse, LayerDescriptor};

use crate::cache::{Cache, Partial};
use crate::digest::Digest;
use crate::error::Fault;
use crate::progress::Progress;
use crate::retry::RetryPolicy;
use crate::wire::{Session, broken, is_of_digest};

/// What is to be fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
}

/// Fetches a blob, in as many attempts as it takes. It is in the cache then.
pub(crate) async fn fetch(
    session: &Session,
    cache: &Cache,
    blob: Blob,
    retry: &RetryPolicy,
    progress: &dyn Progress,
) -> Result<(), Fault> {
    let cache = cache.clone();
    let open = move || cache.partial(blob.digest, blob.bytes);
    let mut partial = blocking(open).await??;
    let mut attempts = retry.begin();
    while let Err(fault) = attempt(session, &mut partial, blob, progress).await {
        attempts.again(fault, progress).await?;
    }
    Ok(blocking(move || partial.commit()).await??)
}

async fn attempt(session: &Session, partial: &mut Partial, blob: Blob, progress: &dyn Progress) -> Result<(), Fault> {
    progress.begins(blob.bytes);
    progress.at(partial.bytes());
    let kept = partial.bytes();
    if !partial.is_whole() {
        download(session, partial, blob, progress).await?;
    }
    let found = partial.found();
    if found == blob.digest {
        return Ok(());
    }
    partial.restart()?;
    match kept {
        0 => Err(Fault::Digest { expected: blob.digest, found }),
        // Perhaps the beginning was spoilt here, or the registry went on from another place than it was asked to.
        _ => Err(Fault::Broken { why: "what was kept of an earlier attempt does not fit".to_owned() }),
    }
}

async fn download(session: &Session, partial: &mut Partial, blob: Blob, progress: &dyn Progress) -> Result<(), Fault> {
    let name = blob.digest.to_string();
    // Other places that a manifest names for a blob are not asked: it could make this host ask anybody anything.
    let descriptor = LayerDescriptor { digest: &name, urls: &None };
    let response = session.client.pull_blob_stream_partial(&session.place, &descriptor, partial.bytes(), None).await;
    let mut pieces = match response {
        Ok(BlobResponse::Partial(pieces)) => pieces,
        Ok(BlobResponse::Full(pieces)) => {
            partial.restart()?;
            pieces
        }
        Err(error) => {
            let fault = session.fault(error);
            if matches!(fault, Fault::Status { status: 416, .. }) && partial.bytes() > 0 {
                partial.restart()?;
                return Err(Fault::Broken { why: "the registry has nothing to go on with".to_owned() });
            }
            return Err(fault);
        }
    };
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            // The whole is there then, and hashed by us, too.
            Err(error) if is_of_digest(&error) && partial.is_whole() => break,
            Err(error) => return Err(Fault::Broken { why: broken(error) }),
        };
        if !partial.append(&piece)? {
            partial.restart()?;
            return Err(Fault::Protocol { why: format!("it sent more than the {} bytes that it stated", blob.bytes) });
        }
        progress.at(partial.bytes());
    }
    match partial.is_whole() {
        true => Ok(()),
        false => Err(Fault::Broken { why: format!("after {} of {} bytes", partial.bytes(), blob.bytes) }),
    }
}

/// Hashes and waits for the disk where nobody is held up.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::Broken { why: format!("its thread failed: {error}") })
}
