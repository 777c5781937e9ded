//! Before there is a call in a lane: what is asked is checked, and a lane is claimed.

use cofferdam_protocol::call::Request;

use super::LaneClient;
use crate::lane::claims::NoLane;
use crate::{CallFailure, Outgoing};

impl LaneClient {
    pub(super) fn claim(&self, call: &Outgoing<'_>) -> Result<usize, CallFailure> {
        let among = self.region.layout().lanes_for(call.payload.len());
        let (is_over, next_look) = (|| self.is_over() || call.is_over(), || call.next_look());
        let claimed = self.claims.claim(among, &|lane| self.came_back(lane), (&is_over, &next_look));
        claimed.map_err(|why| match why {
            NoLane::Crowded => CallFailure::Overloaded { limit: self.running_max },
            NoLane::Over if self.is_over() => self.failed(false),
            NoLane::Over => call.given_up(false),
        })
    }

    /// Whether it may be asked: before the call takes a lane, and before anybody counts on it.
    pub(in crate::lane) fn check(&self, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        let (bytes, limit) = (call.payload.len(), self.payload_bytes_max as usize);
        if bytes > limit {
            return Err(CallFailure::TooLarge { bytes, limit });
        }
        let Outgoing { actor, operation, deadline, .. } = *call;
        let request = Request { call: 1, deadline_ns: deadline.as_monotonic_ns(), actor, operation };
        request.check().map_err(|error| CallFailure::Unsendable { why: error.to_string() })
    }
}
