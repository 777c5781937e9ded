//! What ours is held against: floors and peers, each with its other side in a process of its own.

pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod ping_pong;
pub(crate) mod ring;
