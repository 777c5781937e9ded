//! `wasmcloud:extras`, built in: random numbers, GUIDs and sequences, for actors that have the claim and a link.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::words::{CallError, Callee, DEFAULT_LINK_NAME, Invocation, ProviderKey, WasmCloudEntity};

/// Its contract.
pub const CONTRACT_ID: &str = "wasmcloud:extras";

/// Its public key, that of the reference.
pub const PUBLIC_KEY: &str = "VDHPKGFKDI34Y4RN4PWWZHRYZ6373HYRSNNEM4UTDLLOGO5B37TSVREP";

/// The built-in provider.
#[derive(Debug, Default)]
pub struct Extras {
    /// The next number of each actor's sequence. As many entries as actors were ever linked.
    sequences: Mutex<HashMap<String, u64>>,
}

#[derive(Deserialize)]
struct GeneratorRequest {
    #[serde(default)]
    min: u32,
    #[serde(default)]
    max: u32,
}

#[derive(Default, Serialize)]
struct GeneratorResult {
    guid: Option<String>,
    random_number: u32,
    #[serde(rename = "sequenceNumber")]
    sequence_number: u64,
}

/// What it is kept under.
pub fn key() -> ProviderKey {
    ProviderKey::new(PUBLIC_KEY, None)
}

/// The provider, as the target of a call.
pub fn entity() -> WasmCloudEntity {
    WasmCloudEntity::Capability {
        id: PUBLIC_KEY.to_owned(),
        contract_id: CONTRACT_ID.to_owned(),
        link_name: DEFAULT_LINK_NAME.to_owned(),
    }
}

impl Extras {
    fn generate(&self, actor: &str, operation: &str, payload: &[u8]) -> Result<GeneratorResult, String> {
        let result = GeneratorResult::default();
        match operation {
            "RequestGuid" => Ok(GeneratorResult { guid: Some(uuid::Uuid::new_v4().to_string()), ..result }),
            "RequestRandom" => {
                let request: GeneratorRequest =
                    rmp_serde::from_slice(payload).map_err(|error| format!("the request can't be decoded: {error}"))?;
                let GeneratorRequest { min, max } = request;
                if min >= max {
                    return Err(format!("min must be less than max, got {min} and {max}"));
                }
                Ok(GeneratorResult { random_number: rand::random_range(min..max), ..result })
            }
            "RequestSequence" => Ok(GeneratorResult { sequence_number: self.next(actor), ..result }),
            other => Err(format!("unknown operation {other:?}")),
        }
    }

    fn next(&self, actor: &str) -> u64 {
        let mut sequences = self.sequences.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match sequences.get_mut(actor) {
            Some(number) => {
                *number += 1;
                *number
            }
            None => {
                sequences.insert(actor.to_owned(), 0);
                0
            }
        }
    }
}

impl Callee for Extras {
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let generated = self.generate(invocation.origin.public_key(), invocation.operation, invocation.payload);
        let encoded = generated.and_then(|result| rmp_serde::to_vec_named(&result).map_err(|error| error.to_string()));
        match encoded {
            Ok(bytes) => {
                reply.extend_from_slice(&bytes);
                Ok(())
            }
            Err(message) => {
                Err(CallError::ProviderFailed { provider: key(), operation: invocation.operation.to_owned(), message })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Range {
        min: u32,
        max: u32,
    }

    fn ask(extras: &Extras, actor: &str, operation: &str, min: u32, max: u32) -> Result<GeneratorResult, String> {
        extras.generate(actor, operation, &rmp_serde::to_vec_named(&Range { min, max }).unwrap())
    }

    #[test]
    fn numbers_are_in_range_and_sequences_per_actor() {
        let extras = Extras::default();
        for _ in 0..100 {
            assert!((3..5).contains(&ask(&extras, "MA", "RequestRandom", 3, 5).unwrap().random_number));
        }
        let sequence = |actor| ask(&extras, actor, "RequestSequence", 0, 0).unwrap().sequence_number;
        assert_eq!([sequence("MA"), sequence("MA"), sequence("MB"), sequence("MA")], [0, 1, 0, 2]);
        assert_eq!(ask(&extras, "MA", "RequestGuid", 0, 0).unwrap().guid.unwrap().len(), 36);
    }

    #[test]
    fn a_bad_request_is_an_error_of_that_call() {
        let extras = Extras::default();
        let error = |operation, min, max| ask(&extras, "MA", operation, min, max).err().unwrap();
        assert_eq!(error("RequestRandom", 5, 5), "min must be less than max, got 5 and 5");
        assert_eq!(error("Nonsense", 0, 0), "unknown operation \"Nonsense\"");
        assert!(extras.generate("MA", "RequestRandom", b"\xc1").is_err());
    }
}
