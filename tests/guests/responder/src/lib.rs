//! An HTTP actor that answers as its path tells it to, well or badly: for the tests of the HTTP server.
//!
//! | path | what happens |
//! |---|---|
//! | `/status/CODE` | an empty response with that status, whatever the number |
//! | `/bytes/N` | 200 and N bytes of `x` |
//! | `/length` | 200 and the number of bytes of the request's body, as text |
//! | `/header/NAME/VALUE` | 200 with that header, unchecked: NAME and VALUE may be invalid HTTP |
//! | `/error/TEXT` | the handler returns an error with that text |
//! | `/trap` | the handler panics, which is the trap `unreachable` |
//! | `/loop` | never answers; burns fuel |
//! | `/garbage` | `HandleRequest` answers bytes that are no MessagePack |
//! | others | 404 |
//!
//! Needs `wasmcloud:httpserver`, makes no host call.

use wapc_guest::{register_function, CallResult, HandlerResult};
use wasmcloud_actor_core as actor;
use wasmcloud_actor_http_server as http;

#[actor::init]
fn init() {
    register_function("HandleRequest", handle);
}

/// Registered by hand, because the contract's crate leaves no way to answer garbage.
fn handle(payload: &[u8]) -> CallResult {
    let request: http::Request = http::deserialize(payload)?;
    if request.path == "/garbage" {
        return Ok(vec![0xc1; 16]);
    }
    http::serialize(respond(&request)?)
}

fn respond(request: &http::Request) -> HandlerResult<http::Response> {
    Ok(match request.path_segments().as_slice() {
        ["status", code] => http::Response { status_code: code.parse()?, ..Default::default() },
        ["bytes", count] => http::Response { body: vec![b'x'; count.parse()?], ..http::Response::ok() },
        ["length"] => http::Response { body: request.body.len().to_string().into_bytes(), ..http::Response::ok() },
        ["header", name, value] => {
            let mut response = http::Response::ok();
            response.header.insert(name.to_string(), value.to_string());
            response
        }
        ["error", text] => return Err((*text).into()),
        ["trap"] => panic!("asked to trap"),
        ["loop"] => loop {
            std::hint::black_box(0);
        },
        _ => http::Response::not_found(),
    })
}
