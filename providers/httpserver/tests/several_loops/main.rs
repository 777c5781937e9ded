//! All that holds of the HTTP server on the loops that this machine gives it, on several; and what is only then to be seen.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "../http/connections.rs"]
mod connections;
#[path = "../http/links.rs"]
mod links;
mod loops;
mod provider;
#[path = "../http/requests.rs"]
mod requests;
#[path = "../http/support.rs"]
mod support;

use provider::PROVIDER;
