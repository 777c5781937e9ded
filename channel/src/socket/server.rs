//! Requests that come as frames on a stream.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use cofferdam_protocol::call::{CallId, Fault, Header};
use interprocess::os::unix::uds_local_socket::Stream;

use super::reader::{Frame, FrameReader};
use super::writer::Writer;
use super::{Until, prepare};
use crate::answer::Written;
use crate::serving::shrink;
use crate::workers::{Calls, Read, Requests, request};
use crate::{Broken, Deadline, OnBroken, Server, ServerConfig, Service};

/// Takes one end of a connection and begins to serve it. `on_broken` is told, once, when the peer closes it or breaks the
/// grammar; its threads end by themselves then.
pub fn serve(
    stream: UnixStream,
    service: Arc<dyn Service>,
    config: ServerConfig,
    on_broken: OnBroken,
) -> io::Result<Server> {
    let reader = FrameReader::new(config.payload_bytes_max);
    let frames = Frames { stream: prepare(stream)?, writer: Writer::new(config.payload_bytes_max) };
    Server::start((frames, reader), service, config, on_broken)
}

/// Requests on a socket, and the way of their answers.
struct Frames {
    stream: Stream,
    writer: Writer,
}

impl Requests for Frames {
    type Ear = FrameReader;
    type Taken = Frame;

    fn take(&self, reader: &mut FrameReader, frame: &mut Frame, calls: &Calls) -> Result<bool, Broken> {
        while !calls.is_over() {
            if !reader.next(&self.stream, frame, Until::from(Deadline::NEVER))? {
                continue;
            }
            match frame.header()? {
                Header::Request(_) => return Ok(true),
                Header::Cancel { call } => calls.cancel(call),
                Header::Reply { .. } => return Err(Broken::WrongWay("reply")),
                Header::Failure { .. } => return Err(Broken::WrongWay("failure")),
            }
        }
        Ok(false)
    }

    fn has_more(&self, reader: &FrameReader) -> bool {
        reader.has_buffered()
    }

    fn call(&self, frame: &Frame) -> Result<CallId, Broken> {
        Ok(frame.header()?.call())
    }

    fn read<'a>(&'a self, frame: &'a Frame) -> Result<Read<'a>, Broken> {
        Ok((request(frame.header()?)?, &frame.payload, &mut []))
    }

    /// Every request is answered, or the asking side would count it as running for ever. The write waits for as long as
    /// the peer doesn't read; a peer that waits for anything reads, and one that has gone ends the write.
    fn answer(&self, frame: &Frame, result: Result<(), Fault>, answer: Written<'_>, _: &Calls) -> Result<(), Broken> {
        let call = frame.header()?.call();
        let Written::Apart(answer) = answer else { unreachable!("it was given no room") };
        let header = match result {
            Ok(()) => Header::Reply { call },
            Err(fault) => Header::Failure { call, fault },
        };
        self.writer.write(&self.stream, &header, answer, Deadline::NEVER).map(drop)
    }

    fn shrink(frame: &mut Frame) {
        shrink(&mut frame.payload);
    }

    fn rouse(&self) {
        // A shut-down socket is readable at its end, which wakes the reader. It may be shut down already.
        let _ = self.stream.inner().shutdown(std::net::Shutdown::Both);
    }
}
