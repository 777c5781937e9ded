//! The body of an answer, given out in pieces. h2 asks for one whenever the client has room, so each that it takes shows that the
//! client gets on, and what is asked for and never taken stays here, where `pace.rs` sees it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::pace::{Pace, Unsent};

/// The longest piece: a frame, as most clients take them.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// What is left of a body.
#[derive(Debug)]
pub(crate) struct Pieces {
    rest: Bytes,
    /// None where there is no body.
    unsent: Option<Arc<Unsent>>,
}

/// The bytes of all pieces. It goes when h2 has written the last of them.
struct Whole {
    bytes: Bytes,
    _unsent: Arc<Unsent>,
}

impl Pieces {
    pub(crate) fn new(pace: &Arc<Pace>, bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return Self { rest: bytes, unsent: None };
        }
        let unsent = Arc::new(pace.unsent());
        let rest = Bytes::from_owner(Whole { bytes, _unsent: Arc::clone(&unsent) });
        Self { rest, unsent: Some(unsent) }
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(unsent) = &self.unsent {
            unsent.gets_on();
        }
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
