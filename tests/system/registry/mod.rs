//! Actors and archives in registries: against a real one, and against peers that are none.

mod access;
mod commands;
mod hostile;
mod hosting;
mod transfers;

use std::sync::Arc;

use cofferdam_registry::{Pulled, Pushed, Registry, RegistryConfig, RegistryError, Silent, Wanted};
use cofferdam_tests::artifacts;

async fn pull(config: &RegistryConfig, reference: &str, wanted: Wanted) -> Result<Pulled, RegistryError> {
    Registry::new(config.clone())?.pull(reference, wanted, Arc::new(Silent)).await
}

async fn push(config: &RegistryConfig, reference: &str, bytes: &[u8]) -> Result<Pushed, RegistryError> {
    Registry::new(config.clone())?.push(reference, bytes.to_vec(), Arc::new(Silent)).await
}

/// The word of an error, and its text.
fn refused<T>(outcome: Result<T, RegistryError>) -> (&'static str, String) {
    match outcome {
        Ok(_) => ("", "it succeeded".to_owned()),
        Err(error) => (error.verdict().1, format!("{error} {error:?}")),
    }
}

fn module() -> Vec<u8> {
    artifacts::sign("echo", &artifacts::guest("echo"), &["wasmcloud:httpserver"], None)
}

/// Bytes that begin like an archive and are large, and not the same over and over.
fn large(bytes: u32) -> Vec<u8> {
    let mut word = 1_u32;
    let noise = std::iter::repeat_with(|| {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        word.to_be_bytes()
    });
    [0x1f, 0x8b].into_iter().chain(noise.flatten()).take(bytes as usize).collect()
}
