//! The classic wasmCloud counter: each request adds one to a key named after its path and answers `{"counter": N}`.
//!
//! The key is the path with ':' for '/', so `/visits/home` counts in `:visits:home`. GET and POST count, DELETE sets
//! the counter back to nothing, other methods are 405. A browser's `/favicon.ico` is 404 and never counts.
//! Needs `wasmcloud:httpserver` and `wasmcloud:keyvalue` (operations `Add` and `Del`, link "default").

use serde_json::json;
use wapc_guest::HandlerResult;
use wasmcloud_actor_core as actor;
use wasmcloud_actor_http_server as http;
use wasmcloud_actor_keyvalue as kv;

#[actor::init]
fn init() {
    http::Handlers::register_handle_request(count);
}

fn count(request: http::Request) -> HandlerResult<http::Response> {
    if request.path == "/favicon.ico" {
        return Ok(http::Response::not_found());
    }
    let key = request.path.replace('/', ":");
    let counter = match request.method.to_ascii_uppercase().as_str() {
        "GET" | "POST" => kv::default().add(key, 1)?.value,
        "DELETE" => {
            kv::default().del(key)?;
            0
        }
        _ => return Ok(method_not_allowed()),
    };
    let mut response = http::Response::json(json!({ "counter": counter }), 200, "OK");
    response.header.insert("content-type".to_string(), "application/json".to_string());
    Ok(response)
}

fn method_not_allowed() -> http::Response {
    let mut response =
        http::Response { status_code: 405, status: "Method Not Allowed".to_string(), ..Default::default() };
    response.header.insert("allow".to_string(), "GET, POST, DELETE".to_string());
    response
}
