//! Running one call, whatever it came by: its answer within the limits, and its panic as a failure of it alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cofferdam_protocol::call::Fault;
use cofferdam_protocol::limits::WORDS_BYTES_MAX;

use crate::{Answer, Incoming, Service};

/// Runs a call. `answer` holds the answer then, or the words of a failure.
pub(crate) fn run(
    service: &dyn Service,
    incoming: &Incoming<'_>,
    payload_bytes_max: u32,
    answer: &mut Answer<'_>,
) -> Result<(), Fault> {
    let served = catch_unwind(AssertUnwindSafe(|| service.serve(incoming, answer)));
    if incoming.is_cancelled() || incoming.deadline.expired() {
        // Nobody waits for the answer any more: it shrinks to the word that the call has ended.
        answer.clear();
        return Err(Fault::Late);
    }
    match served {
        Err(_panic) => {
            answer.replace(b"the service panicked");
            Err(Fault::Internal)
        }
        Ok(Ok(())) if answer.len() > payload_bytes_max as usize => {
            let bytes = answer.len();
            let words = format!("the answer of {bytes} bytes exceeds the limit of {payload_bytes_max} bytes");
            answer.replace(words.as_bytes());
            Err(Fault::Invalid)
        }
        Ok(Ok(())) => Ok(()),
        Ok(Err(fault)) => {
            answer.truncate(WORDS_BYTES_MAX);
            Err(fault)
        }
    }
}

/// One large call must not pin its memory in an idle worker.
pub(crate) fn shrink(buffer: &mut Vec<u8>) {
    const KEEP_BYTES: usize = 256 << 10;
    if buffer.capacity() > KEEP_BYTES {
        *buffer = Vec::new();
    }
}
