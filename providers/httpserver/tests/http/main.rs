//! The HTTP server through its C ABI and real sockets.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use cofferdam_httpserver::cofferdam_provider_v1 as PROVIDER;

mod connections;
mod links;
mod requests;
mod support;
