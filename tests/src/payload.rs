//! What guests are called with: MessagePack, written as JSON.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::Answer;

/// The part of an HTTP response of an actor that tests look at.
#[derive(Deserialize)]
struct Response {
    #[serde(rename = "statusCode")]
    status_code: u16,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
}

/// A value as MessagePack.
pub fn pack(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("JSON can be written as MessagePack")
}

/// MessagePack as a value; it must hold no raw bytes.
pub fn unpack(bytes: &[u8]) -> Value {
    rmp_serde::from_slice(bytes).expect("an answer is MessagePack")
}

/// `HandleRequest` of `wasmcloud:httpserver`, as the HTTP server sends it for a GET of a path and perhaps a query.
pub fn get(target: &str) -> Vec<u8> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    pack(&json!({ "method": "GET", "path": path, "queryString": query, "header": {}, "body": [] }))
}

/// An argument of the guest `caller`: which host call to make. It is the payload of a further `Forward`, too.
pub fn forward(namespace: &str, operation: &str, payload: &Value) -> Value {
    json!({ "namespace": namespace, "operation": operation, "payload": payload })
}

/// What `HandleRequest` was answered with.
pub fn answer(bytes: &[u8]) -> Answer {
    let response: Response = rmp_serde::from_slice(bytes).expect("an HTTP actor answers with a response");
    (response.status_code, String::from_utf8(response.body).expect("a body is text"))
}
