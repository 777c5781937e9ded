//! The HTTP server through its C ABI and real sockets.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod connections;
mod links;
mod requests;
mod support;
