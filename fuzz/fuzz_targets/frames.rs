//! Frames: their lengths, the control messages of both sides and the headers of calls. What is read is written again as the
//! same bytes.
#![no_main]

use cofferdam_fuzz::errors;
use cofferdam_protocol::call::{Header, frame_bytes_max};
use cofferdam_protocol::control::{HostMessage, ShimMessage};
use cofferdam_protocol::frame::{LENGTH_BYTES, body_bytes, length};
use cofferdam_protocol::limits::{CALL_HEADER_BYTES_MAX, CONTROL_FRAME_BYTES_MAX, DESCRIPTORS_MAX, PAYLOAD_BYTES_MAX};
use cofferdam_protocol::{DecodeError, limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    body(bytes);
    // As a stream of frames, whose first lie is its end.
    let mut rest = bytes;
    while let Some((stated, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        let Some(body_bytes) = stated_length(*stated) else { break };
        let Some((frame, after)) = after.split_at_checked(body_bytes) else { break };
        body(frame);
        rest = after;
    }
});

fn stated_length(stated: [u8; LENGTH_BYTES]) -> Option<usize> {
    for limit in [1, CONTROL_FRAME_BYTES_MAX, frame_bytes_max(PAYLOAD_BYTES_MAX), u32::MAX] {
        match body_bytes(stated, limit) {
            Err(error) => refused(&error),
            Ok(bytes) => {
                assert!((1..=limit as usize).contains(&bytes));
                assert_eq!(length(bytes, limit), Ok(stated));
            }
        }
    }
    body_bytes(stated, CONTROL_FRAME_BYTES_MAX).ok()
}

fn body(bytes: &[u8]) {
    match HostMessage::from_body(bytes) {
        Err(error) => refused(&error),
        Ok(message) => {
            assert!(message.descriptors() <= DESCRIPTORS_MAX);
            written(&message.to_frame(), bytes);
            let _ = format!("{message:?}");
        }
    }
    match ShimMessage::from_body(bytes) {
        Err(error) => refused(&error),
        Ok(message) => written(&message.to_frame(), bytes),
    }
    call(bytes);
}

/// A control frame may be one byte too long to be sent and still be read from a body that no length led to.
fn written(frame: &Result<Vec<u8>, DecodeError>, bytes: &[u8]) {
    match frame {
        Ok(frame) => assert_eq!(frame[LENGTH_BYTES..], *bytes),
        Err(error) => assert!(bytes.len() > CONTROL_FRAME_BYTES_MAX as usize, "read, and not written: {error}"),
    }
}

fn call(bytes: &[u8]) {
    let (header, used) = match Header::read(bytes) {
        Err(error) => return refused(&error),
        Ok(read) => read,
    };
    assert_ne!(header.call(), 0, "0 names no call");
    let mut buffer = [0; CALL_HEADER_BYTES_MAX];
    assert_eq!(header.write(&mut buffer), Ok(used));
    assert_eq!(buffer[..used], bytes[..used]);
    let payload = &bytes[used..];
    if let (Header::Failure { .. }, words) = (header, String::from_utf8_lossy(payload)) {
        assert!(payload.len() <= limits::WORDS_BYTES_MAX && limits::clip(&words).len() <= limits::WORDS_BYTES_MAX);
    }
    assert!(header.check_payload(payload.len(), PAYLOAD_BYTES_MAX).is_ok());
}

fn refused(error: &DecodeError) {
    errors::check(&error.to_string(), "the connection ends");
}
