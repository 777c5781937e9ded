//! The HTTP server over TLS, and its HTTP/2, with clients of other hands and with frames written by our own.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use cofferdam_httpserver::cofferdam_provider_v1 as PROVIDER;

mod authority;
mod clients;
mod drains;
mod frames;
mod handshakes;
mod limits;
mod links;
mod streams;
#[path = "../http/support.rs"]
#[allow(dead_code, reason = "each set of tests uses a part of it")]
mod support;
