//! Asks the built-in `wasmcloud:extras` for one identifier, one random number and two sequence numbers, as JSON:
//! `{"guid": "…", "random": N, "sequence": [N, N + 1]}`.
//!
//! The query string `min=A&max=B` sets the range of the random number (half-open; 0 and 100 when absent), so that
//! `min=5&max=5` shows how an empty range is refused. Needs `wasmcloud:httpserver` and `wasmcloud:extras`.

use serde_json::json;
use wapc_guest::HandlerResult;
use wasmcloud_actor_core as actor;
use wasmcloud_actor_extras as extras;
use wasmcloud_actor_http_server as http;

use extras::GeneratorRequest;

#[actor::init]
fn init() {
    http::Handlers::register_handle_request(generate);
}

fn generate(request: http::Request) -> HandlerResult<http::Response> {
    let min = parameter(&request.query_string, "min")?.unwrap_or(0);
    let max = parameter(&request.query_string, "max")?.unwrap_or(100);
    let host = extras::default();
    let guid = host.request_guid(GeneratorRequest { guid: true, ..Default::default() })?.guid;
    let random = host.request_random(GeneratorRequest { random: true, min, max, ..Default::default() })?;
    let mut sequence = [0; 2];
    for number in &mut sequence {
        *number = host.request_sequence(GeneratorRequest { sequence: true, ..Default::default() })?.sequence_number;
    }
    let report = json!({ "guid": guid, "random": random.random_number, "sequence": sequence });
    Ok(http::Response::json(report, 200, "OK"))
}

/// The number named `name` in a query string, or nothing when it is absent.
fn parameter(query: &str, name: &str) -> HandlerResult<Option<u32>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    match value {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|e| format!("query parameter {name}={text}: {e}").into()),
    }
}
