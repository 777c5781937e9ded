//! The classic wasmCloud echo: answers every HTTP request with the request itself, as JSON.
//!
//! Handles `HandleRequest` and `HealthRequest`. Needs `wasmcloud:httpserver`, makes no host call.

use std::collections::BTreeMap;

use serde::Serialize;
use wapc_guest::HandlerResult;
use wasmcloud_actor_core as actor;
use wasmcloud_actor_http_server as http;

/// What the reply body holds. Headers are sorted, so that the same request gives the same bytes.
#[derive(Serialize)]
struct EchoRequest {
    method: String,
    path: String,
    query_string: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

#[actor::init]
fn init() {
    http::Handlers::register_handle_request(echo);
}

fn echo(request: http::Request) -> HandlerResult<http::Response> {
    let echo = EchoRequest {
        method: request.method,
        path: request.path,
        query_string: request.query_string,
        headers: request.header.into_iter().collect(),
        body: request.body,
    };
    Ok(http::Response::json(echo, 200, "OK"))
}
