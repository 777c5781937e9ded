//! One request: read it within its limits, call the actor, answer.

use std::sync::Arc;

use bytes::Bytes;
use cofferdam_provider::tokio::Calls;
use cofferdam_provider::{Level, Request as CallRequest, monotonic_deadline};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, EXPECT, HeaderMap, HeaderName, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::site::{Phase, Site};
use crate::wire::{Head, OPERATION, response};

/// The most headers of a request.
pub(crate) const HEADERS_MAX: usize = 100;

/// What the requests of one connection are answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'a> {
    pub(crate) site: &'a Site,
    /// Of the connection's loop.
    pub(crate) calls: &'a Calls,
    pub(crate) settings: &'a Settings,
}

/// Answers one request, whatever happens.
pub(crate) async fn respond(means: Means<'_>, request: Request<Incoming>) -> Response<Bytes> {
    let _under_way = means.site.requests.enter();
    let answer = exchange(means, request).await;
    answer.unwrap_or_else(|refusal| {
        if let Some(level) = refusal.level() {
            log(means.site, level, &refusal);
        }
        refusal.response()
    })
}

async fn exchange(means: Means<'_>, request: Request<Incoming>) -> Result<Response<Bytes>, Refusal> {
    if means.site.phase() != Phase::Serving {
        return Err(Refusal::Draining);
    }
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if asks_for_websocket(request.headers()) {
        return Err(Refusal::WebSocket);
    }
    // Of HTTP/1.1 they were counted already.
    if request.headers().len() > HEADERS_MAX {
        return Err(Refusal::HeadTooLong);
    }
    let (parts, mut body) = request.into_parts();
    let answer = answer(means, &parts, &mut body).await;
    // Who has not been told to go on has not sent anything.
    let is_coming = !body.is_end_stream() && !parts.headers.contains_key(EXPECT);
    if is_coming && answer.as_ref().is_err_and(Refusal::leaves_body) {
        tokio::spawn(timeout(means.settings.body_timeout, discard(body)));
    }
    answer
}

/// Whether the connection is to become a WebSocket (RFC 6455, section 4.1). Any other upgrade is ignored, as HTTP allows
/// (RFC 9110, section 7.8): the request is answered as it is.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && lists(headers, &UPGRADE, "websocket") && lists(headers, &CONNECTION, "upgrade")
}

fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// Most clients read nothing before they have sent everything. Closing earlier would cost them the response: what they
/// still send makes the kernel reset the connection.
async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

async fn answer(means: Means<'_>, parts: &Parts, body: &mut Incoming) -> Result<Response<Bytes>, Refusal> {
    let Means { site, calls, settings } = means;
    let head = Head::new(parts);
    let room = head.body_room(site.host.payload_bytes_max()).ok_or(Refusal::HeadTooLong)?;
    let limit_bytes = room.min(settings.body_bytes_max);
    let body = timeout(settings.body_timeout, read(site, body, limit_bytes)).await;
    let body = body.map_err(|_elapsed| Refusal::BodyLate)??;
    let payload = head.encode(&body.bytes);
    let call = CallRequest {
        actor: &site.actor,
        operation: OPERATION,
        payload: &payload,
        deadline_ns: monotonic_deadline(settings.call_timeout),
    };
    let answer = calls.call(&call).await.map_err(Refusal::CallFailed)?;
    let (parts, body) = response(&answer)?.into_parts();
    let body = placed(&site.rooms.responses, body).ok_or(Refusal::Crowded)?;
    Ok(Response::from_parts(parts, body))
}

/// A body that gives its room back once hyper has written it, or has given it up. None when there is no room.
fn placed(room: &Arc<Semaphore>, bytes: Vec<u8>) -> Option<Bytes> {
    struct Placed {
        bytes: Vec<u8>,
        _place: OwnedSemaphorePermit,
    }
    impl AsRef<[u8]> for Placed {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    let size = u32::try_from(bytes.len()).ok()?;
    let place = Arc::clone(room).try_acquire_many_owned(size).ok()?;
    Some(Bytes::from_owner(Placed { bytes, _place: place }))
}

/// A whole body, and the place that it takes in what all bodies may take together.
struct Held {
    bytes: Vec<u8>,
    _place: Option<OwnedSemaphorePermit>,
}

async fn read(site: &Site, body: &mut Incoming, limit_bytes: usize) -> Result<Held, Refusal> {
    let too_long = || Refusal::BodyTooLong { limit_bytes };
    if body.size_hint().lower() > limit_bytes as u64 {
        return Err(too_long());
    }
    let mut held = Held { bytes: Vec::new(), _place: None };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BodyBroken(error.to_string()))?;
        // Trailers have no place in the contract.
        let Ok(data) = frame.into_data() else { continue };
        if held.bytes.len() + data.len() > limit_bytes {
            return Err(too_long());
        }
        let size = u32::try_from(data.len()).map_err(|_| too_long())?;
        let place = site.rooms.requests.clone().try_acquire_many_owned(size).map_err(|_| Refusal::Crowded)?;
        match &mut held._place {
            Some(places) => places.merge(place),
            none => *none = Some(place),
        }
        held.bytes.extend_from_slice(&data);
    }
    Ok(held)
}

/// One line, bounded: what an actor says may be long, and may try to look like two lines.
fn log(site: &Site, level: Level, refusal: &Refusal) {
    const LINE_CHARACTERS_MAX: usize = 500;
    let words = refusal.to_string();
    let line: String = words.chars().take(LINE_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    site.host.log(level, &format!("{} for {}: {line}", refusal.status().as_u16(), site.actor));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::placed;

    #[test]
    fn responses_take_room_until_they_are_gone() {
        let room = Arc::new(Semaphore::new(10));
        let first = placed(&room, vec![1; 6]).unwrap();
        assert!(placed(&room, vec![2; 5]).is_none());
        let second = placed(&room, vec![2; 4]).unwrap();
        assert_eq!((first.as_ref(), second.as_ref()), ([1; 6].as_slice(), [2; 4].as_slice()));
        assert!(placed(&room, Vec::new()).is_some());
        // What hyper still has to write keeps all of it.
        let rest = first.slice(5..);
        drop(first);
        assert_eq!(room.available_permits(), 0);
        drop(rest);
        assert!(placed(&room, vec![3; 6]).is_some());
    }
}
