//! Calls every operation of `wasmcloud:keyvalue` in a fixed order and answers with a JSON report of what came back.
//!
//! The keys begin with the request's path (`/t1` gives `t1:counter` …), so that tours on one store do not meet. The
//! store should hold none of them when a tour begins; the tour deletes what it made, but for `PREFIX:brief`, which it
//! set to expire after one second. `GET PREFIX/brief` (a path that ends so) only reports whether that key still exists.
//!
//! Sets have no order on the wire: their values are sorted here, lists are reported as they came. Replies are written
//! with the names they have on the wire. Needs `wasmcloud:httpserver` and `wasmcloud:keyvalue`.

use serde::Serialize;
use serde_json::{json, Value};
use wapc_guest::HandlerResult;
use wasmcloud_actor_core as actor;
use wasmcloud_actor_http_server as http;
use wasmcloud_actor_keyvalue as kv;

#[actor::init]
fn init() {
    http::Handlers::register_handle_request(handle);
}

fn handle(request: http::Request) -> HandlerResult<http::Response> {
    let path = request.path.trim_matches('/');
    let report = match path.strip_suffix("/brief") {
        Some(prefix) => json!(kv::default().key_exists(format!("{prefix}:brief"))?),
        None => Tour::new(path).run(),
    };
    Ok(http::Response::json(report, 200, "OK"))
}

/// The report as it grows: one entry a call, with the operation, its arguments and the reply or the error.
struct Tour {
    prefix: String,
    store: kv::Host,
    steps: Vec<Value>,
}

impl Tour {
    fn new(prefix: &str) -> Self {
        Tour { prefix: prefix.to_string(), store: kv::default(), steps: Vec::new() }
    }

    fn run(mut self) -> Value {
        self.values();
        self.counters();
        self.lists();
        self.sets();
        self.wrong_types();
        self.clean_up();
        json!({ "prefix": self.prefix, "steps": self.steps })
    }

    fn values(&mut self) {
        self.exists("value");
        self.get("value");
        self.set("value", "first", 0);
        self.get("value");
        self.exists("value");
        self.set("value", "second ✓", 0);
        self.get("value");
        self.set("empty", "", 0);
        self.get("empty");
        self.del("value");
        self.get("value");
        self.del("value");
        self.set("long", "kept", 3600);
        self.get("long");
        self.set("brief", "gone after one second", 1);
    }

    fn counters(&mut self) {
        self.add("counter", 1);
        self.add("counter", 41);
        self.add("counter", -50);
        self.get("counter");
        self.set("counter", "100", 0);
        self.add("counter", 1);
        self.set("counter", "2147483647", 0);
        self.add("counter", 1);
    }

    fn lists(&mut self) {
        self.range("list", 0, -1);
        for value in ["a", "b", "c", "b"] {
            self.push("list", value);
        }
        for (start, stop) in [(0, -1), (0, 0), (1, 2), (-2, -1), (2, 1), (0, 100), (9, 12)] {
            self.range("list", start, stop);
        }
        self.list_item_delete("list", "b");
        self.range("list", 0, -1);
        self.list_item_delete("list", "absent");
        self.exists("list");
        self.clear("list");
        self.range("list", 0, -1);
        self.exists("list");
        self.clear("list");
    }

    fn sets(&mut self) {
        self.set_query("left");
        for value in ["red", "green", "red"] {
            self.set_add("left", value);
        }
        for value in ["green", "blue"] {
            self.set_add("right", value);
        }
        self.set_query("left");
        self.set_union(&["left", "right"]);
        self.set_union(&["left", "absent"]);
        self.set_intersection(&["left", "right"]);
        self.set_intersection(&["left", "absent"]);
        self.set_union(&[]);
        self.set_intersection(&[]);
        self.set_remove("left", "red");
        self.set_remove("left", "red");
        self.set_query("left");
        self.exists("left");
        self.set_remove("left", "green");
        self.exists("left");
    }

    /// Each of these is a mistake of the actor; the provider should answer with an error and change nothing.
    fn wrong_types(&mut self) {
        self.set("text", "not a number", 0);
        self.add("text", 1);
        self.push("text", "x");
        self.set_add("text", "x");
        self.push("items", "x");
        self.get("items");
        self.add("items", 1);
        self.range("text", 0, -1);
        self.set_query("text");
        self.get("text");
    }

    fn clean_up(&mut self) {
        for name in ["empty", "long", "counter", "left", "right", "text", "items"] {
            self.del(name);
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    fn keys(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.key(name)).collect()
    }

    fn record<T: Serialize>(&mut self, operation: &str, arguments: Value, outcome: HandlerResult<T>) {
        self.steps.push(match outcome {
            Ok(reply) => json!({ "operation": operation, "arguments": arguments, "reply": reply }),
            Err(error) => json!({ "operation": operation, "arguments": arguments, "error": error.to_string() }),
        });
    }

    fn get(&mut self, name: &str) {
        let outcome = self.store.get(self.key(name));
        self.record("Get", json!([name]), outcome);
    }

    fn exists(&mut self, name: &str) {
        let outcome = self.store.key_exists(self.key(name));
        self.record("KeyExists", json!([name]), outcome);
    }

    fn set(&mut self, name: &str, value: &str, expires_s: i32) {
        let outcome = self.store.set(self.key(name), value.to_string(), expires_s);
        self.record("Set", json!([name, value, expires_s]), outcome);
    }

    fn del(&mut self, name: &str) {
        let outcome = self.store.del(self.key(name));
        self.record("Del", json!([name]), outcome);
    }

    fn add(&mut self, name: &str, value: i32) {
        let outcome = self.store.add(self.key(name), value);
        self.record("Add", json!([name, value]), outcome);
    }

    fn push(&mut self, name: &str, value: &str) {
        let outcome = self.store.push(self.key(name), value.to_string());
        self.record("Push", json!([name, value]), outcome);
    }

    fn range(&mut self, name: &str, start: i32, stop: i32) {
        let outcome = self.store.range(self.key(name), start, stop);
        self.record("Range", json!([name, start, stop]), outcome);
    }

    fn list_item_delete(&mut self, name: &str, value: &str) {
        let outcome = self.store.list_item_delete(self.key(name), value.to_string());
        self.record("ListItemDelete", json!([name, value]), outcome);
    }

    fn clear(&mut self, name: &str) {
        let outcome = self.store.clear(self.key(name));
        self.record("Clear", json!([name]), outcome);
    }

    fn set_add(&mut self, name: &str, value: &str) {
        let outcome = self.store.set_add(self.key(name), value.to_string());
        self.record("SetAdd", json!([name, value]), outcome);
    }

    fn set_remove(&mut self, name: &str, value: &str) {
        let outcome = self.store.set_remove(self.key(name), value.to_string());
        self.record("SetRemove", json!([name, value]), outcome);
    }

    fn set_query(&mut self, name: &str) {
        let outcome = self.store.set_query(self.key(name)).map(sorted);
        self.record("SetQuery", json!([name]), outcome);
    }

    fn set_union(&mut self, names: &[&str]) {
        let outcome = self.store.set_union(self.keys(names)).map(sorted);
        self.record("SetUnion", json!(names), outcome);
    }

    fn set_intersection(&mut self, names: &[&str]) {
        let outcome = self.store.set_intersection(self.keys(names)).map(sorted);
        self.record("SetIntersection", json!(names), outcome);
    }
}

fn sorted(mut set: kv::SetQueryResponse) -> kv::SetQueryResponse {
    set.values.sort();
    set
}
