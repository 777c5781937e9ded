//! The answering end of `up`: calls of a provider to actors, on threads that carry guest code.

use std::sync::Arc;

use cofferdam_channel::protocol::call::Fault;
use cofferdam_channel::{Answer, Incoming, Service};

use crate::words::{ActorCall, CallError, Inbound, WasmCloudEntity};

/// Brokers the calls of one provider.
pub(super) struct ActorCalls {
    pub(super) origin: WasmCloudEntity,
    pub(super) inbound: Arc<dyn Inbound>,
}

impl Service for ActorCalls {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Answer<'_>) -> Result<(), Fault> {
        let Incoming { actor, operation, payload, deadline, cancelled, .. } = *call;
        let call = ActorCall { actor, operation, payload, deadline, cancelled };
        self.inbound.provider_call(&self.origin, &call, answer.as_vec()).map_err(|error| {
            answer.replace(error.to_string().as_bytes());
            fault(&error)
        })
    }
}

/// What a provider is told. It decides by this and not by the words.
fn fault(error: &CallError) -> Fault {
    match error {
        CallError::Denied(_) => Fault::Denied,
        // A guest's fuel is the time that its call has left.
        late if late.late().is_some() => Fault::Late,
        CallError::CallerGone { .. } => Fault::Late,
        CallError::NoSuchActor { .. } | CallError::Overloaded { .. } | CallError::HostStopping => Fault::Unavailable,
        CallError::ActorRunaways { .. } | CallError::HostRunaways { .. } => Fault::Unavailable,
        CallError::TooDeep { .. } | CallError::PayloadTooLarge { .. } | CallError::Unsendable { .. } => Fault::Invalid,
        CallError::Internal { .. } => Fault::Internal,
        _ => Fault::Failed,
    }
}
