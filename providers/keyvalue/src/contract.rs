//! The shapes of `wasmcloud:keyvalue` on the wire, as crate `wasmcloud-actor-keyvalue` 0.2.2 defines them: MessagePack
//! maps. Arguments of one shape share a struct. Names are the contract's, `new_count` beside `newCount` included.

use serde::{Deserialize, Serialize};

/// Of `Get`, `Del`, `Clear`, `SetQuery` and `KeyExists`.
#[derive(Deserialize)]
pub(crate) struct KeyArgs {
    pub(crate) key: String,
}

/// Of `Add`.
#[derive(Deserialize)]
pub(crate) struct AddArgs {
    pub(crate) key: String,
    pub(crate) value: i32,
}

/// Of `Set`; `expires` is in seconds, 0 is never.
#[derive(Deserialize)]
pub(crate) struct SetArgs {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) expires: i32,
}

/// Of `Range`: both ends included, negative ones count from the end.
#[derive(Deserialize)]
pub(crate) struct RangeArgs {
    pub(crate) key: String,
    pub(crate) start: i32,
    pub(crate) stop: i32,
}

/// Of `Push`, `ListItemDelete`, `SetAdd` and `SetRemove`.
#[derive(Deserialize)]
pub(crate) struct ItemArgs {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Of `SetUnion` and `SetIntersection`.
#[derive(Deserialize)]
pub(crate) struct KeysArgs {
    pub(crate) keys: Vec<String>,
}

/// What an operation answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// Of `Get`, and of `KeyExists` with an empty value.
    Get { value: String, exists: bool },
    /// Of `Add`: the sum.
    Add { value: i32 },
    /// Of `Set`: what was set.
    Set { value: String },
    /// Of `Del` and `Clear`: the key, whether it was there or not.
    Del { key: String },
    /// Of `Push` the new length, of `ListItemDelete` how many items went.
    List {
        #[serde(rename = "newCount")]
        new_count: i32,
    },
    /// Of `SetAdd` and `SetRemove`: how many members came or went, 0 or 1.
    Members { new_count: i32 },
    /// Of `Range`, `SetQuery`, `SetUnion` and `SetIntersection`.
    Values { values: Vec<String> },
}
