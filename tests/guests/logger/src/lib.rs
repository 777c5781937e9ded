//! Writes to `wasmcloud:logging` in both ways an actor of 2021 could: by `write_log` and by the `log` macros.
//!
//! Each HTTP request writes one line a level, from error to trace, through the macros (target = this crate, text =
//! "LEVEL METHOD PATH"), then the request's body, when there is one, through `write_log` with target "body" and level
//! "info", then one line with a level that no logger knows ("shout", which the crate turns into "info"), and one line
//! to waPC's own console. Answers 200. Macros drop errors, `write_log` does not: without the claim `wasmcloud:logging`
//! the call fails. Needs `wasmcloud:httpserver` and `wasmcloud:logging`.

use log::{debug, error, info, trace, warn};
use wapc_guest::{console_log, HandlerResult};
use wasmcloud_actor_core as actor;
use wasmcloud_actor_http_server as http;
use wasmcloud_actor_logging as logging;

#[actor::init]
fn init() {
    http::Handlers::register_handle_request(write_lines);
    logging::enable_macros();
}

fn write_lines(request: http::Request) -> HandlerResult<http::Response> {
    let (method, path) = (&request.method, &request.path);
    error!("error {method} {path}");
    warn!("warn {method} {path}");
    info!("info {method} {path}");
    debug!("debug {method} {path}");
    trace!("trace {method} {path}");
    let host = logging::default();
    if !request.body.is_empty() {
        host.write_log("body", "info", &String::from_utf8_lossy(&request.body))?;
    }
    host.write_log("levels", "shout", "a level that no logger knows")?;
    console_log(&format!("console {method} {path}"));
    Ok(http::Response::ok())
}
