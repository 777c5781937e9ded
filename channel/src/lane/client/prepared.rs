//! Before there is a call in a lane: what is asked is written down, and a lane is claimed.

use std::sync::atomic::Ordering;

use cofferdam_protocol::call::{Header, Request};
use cofferdam_protocol::limits::CALL_HEADER_BYTES_MAX;

use super::LaneClient;
use crate::lane::claims::NoLane;
use crate::{CallFailure, Outgoing};

/// Room for the header of a call.
pub(in crate::lane) type HeaderRoom = [u8; CALL_HEADER_BYTES_MAX];

/// What is asked.
pub(in crate::lane) struct Prepared<'a> {
    pub(super) number: u64,
    pub(super) header: &'a [u8],
}

impl LaneClient {
    pub(super) fn claim(&self, call: &Outgoing<'_>) -> Result<usize, CallFailure> {
        let among = self.region.layout().lanes_for(call.payload.len());
        let (is_over, next_look) = (|| self.is_over() || call.is_over(), || call.next_look());
        let claimed = self.claims.claim(among, &|lane| self.came_back(lane), (&is_over, &next_look));
        claimed.map_err(|why| match why {
            NoLane::Crowded => CallFailure::Overloaded { limit: self.claims.in_use_max() },
            NoLane::Over if self.is_over() => self.failed(false),
            NoLane::Over => call.given_up(false),
        })
    }

    /// Writes down what is asked: before the call takes a lane, and before anybody counts on it.
    pub(in crate::lane) fn prepare<'a>(
        &self,
        call: &Outgoing<'_>,
        room: &'a mut HeaderRoom,
    ) -> Result<Prepared<'a>, CallFailure> {
        let (bytes, limit) = (call.payload.len(), self.payload_bytes_max as usize);
        if bytes > limit {
            return Err(CallFailure::TooLarge { bytes, limit });
        }
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let Outgoing { actor, operation, deadline, .. } = *call;
        let request = Request { call: number, deadline_ns: deadline.as_monotonic_ns(), actor, operation };
        let written = Header::Request(request).write(room);
        let header_bytes = written.map_err(|error| CallFailure::Unsendable { why: error.to_string() })?;
        Ok(Prepared { number, header: &room[..header_bytes] })
    }
}
