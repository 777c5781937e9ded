//! What ended a connection on this side.

use std::io;

use thiserror::Error;

/// What ended a connection on this side.
#[derive(Debug, Error)]
pub enum Broken {
    /// The peer closed it, or died.
    #[error("the peer closed the connection")]
    Eof,
    /// The system refused to read or write.
    #[error("reading or writing failed: {0}")]
    Io(#[from] io::Error),
    /// The peer broke the grammar.
    #[error("{0}")]
    Protocol(#[from] cofferdam_protocol::DecodeError),
    /// The peer answered a call that nobody made.
    #[error("the peer answered call {0}, which is not in flight")]
    UnknownCall(u64),
    /// The peer wrote into a lane what may not stand there.
    #[error("the peer broke a rule of its lanes: {0}")]
    Lane(&'static str),
    /// The peer sent a message that only the other side may send.
    #[error("the peer sent a {0}, which only this side may send")]
    WrongWay(&'static str),
}

/// Told once when a connection breaks: whoever supervises the peer decides what becomes of it.
pub type OnBroken = Box<dyn Fn(&Broken) + Send + Sync>;
