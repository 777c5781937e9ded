//! From the name and bytes of a call to a checked operation. It touches no store.

use cofferdam_provider::Failure;
use serde::Deserialize;

use crate::contract::{AddArgs, ItemArgs, KeyArgs, KeysArgs, RangeArgs, SetArgs};
use crate::error::OperationError;
use crate::limits::{KEY_BYTES_MAX, KEYS_MAX};

/// An operation of the contract whose argument keeps the limits.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Read(Read),
    Write(Write),
}

/// What changes nothing, and is answered from the last commit.
#[derive(Clone, Debug)]
pub(crate) enum Read {
    Get { key: String },
    Exists { key: String },
    Range { key: String, start: i32, stop: i32 },
    Members { key: String },
    Union { keys: Vec<String> },
    Intersection { keys: Vec<String> },
}

/// What is answered after its commit.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Add { key: String, value: i32 },
    Set { key: String, value: String, expires_s: u32 },
    Remove { key: String },
    Push { key: String, value: String },
    RemoveItem { key: String, value: String },
    AddMember { key: String, value: String },
    RemoveMember { key: String, value: String },
}

impl Operation {
    /// Reads a call. An unknown operation or a bad argument is the caller's mistake.
    pub(crate) fn decode(name: &str, payload: &[u8]) -> Result<Self, Failure> {
        let operation = match name {
            "Get" => Self::Read(decode("Get", payload, |KeyArgs { key }| Read::Get { key })?),
            "KeyExists" => Self::Read(decode("KeyExists", payload, |KeyArgs { key }| Read::Exists { key })?),
            "Range" => {
                Self::Read(decode("Range", payload, |RangeArgs { key, start, stop }| Read::Range { key, start, stop })?)
            }
            "SetQuery" => Self::Read(decode("SetQuery", payload, |KeyArgs { key }| Read::Members { key })?),
            "SetUnion" => Self::Read(Read::Union { keys: decode_keys("SetUnion", payload)? }),
            "SetIntersection" => Self::Read(Read::Intersection { keys: decode_keys("SetIntersection", payload)? }),
            "Add" => Self::Write(decode("Add", payload, |AddArgs { key, value }| Write::Add { key, value })?),
            "Set" => Self::Write(decode_set(payload)?),
            "Del" => Self::Write(decode("Del", payload, |KeyArgs { key }| Write::Remove { key })?),
            "Clear" => Self::Write(decode("Clear", payload, |KeyArgs { key }| Write::Remove { key })?),
            "Push" => Self::Write(decode("Push", payload, |ItemArgs { key, value }| Write::Push { key, value })?),
            "ListItemDelete" => Self::Write(decode("ListItemDelete", payload, |ItemArgs { key, value }| {
                Write::RemoveItem { key, value }
            })?),
            "SetAdd" => {
                Self::Write(decode("SetAdd", payload, |ItemArgs { key, value }| Write::AddMember { key, value })?)
            }
            "SetRemove" => {
                Self::Write(decode("SetRemove", payload, |ItemArgs { key, value }| Write::RemoveMember { key, value })?)
            }
            other => return Err(Failure::unknown_operation(other)),
        };
        operation.check_keys()?;
        Ok(operation)
    }

    fn check_keys(&self) -> Result<(), OperationError> {
        let keys = match self {
            Self::Read(read) => read.keys(),
            Self::Write(write) => std::slice::from_ref(write.key()),
        };
        match keys.iter().find(|key| key.len() > KEY_BYTES_MAX) {
            Some(key) => Err(OperationError::KeyTooLong { bytes: key.len() }),
            None => Ok(()),
        }
    }
}

impl Read {
    fn keys(&self) -> &[String] {
        match self {
            Self::Get { key } | Self::Exists { key } | Self::Range { key, .. } | Self::Members { key } => {
                std::slice::from_ref(key)
            }
            Self::Union { keys } | Self::Intersection { keys } => keys,
        }
    }
}

impl Write {
    fn key(&self) -> &String {
        match self {
            Self::Add { key, .. }
            | Self::Set { key, .. }
            | Self::Remove { key }
            | Self::Push { key, .. }
            | Self::RemoveItem { key, .. }
            | Self::AddMember { key, .. }
            | Self::RemoveMember { key, .. } => key,
        }
    }
}

fn decode<'a, A: Deserialize<'a>, T>(
    operation: &'static str,
    payload: &'a [u8],
    build: impl FnOnce(A) -> T,
) -> Result<T, OperationError> {
    match rmp_serde::from_slice(payload) {
        Ok(arguments) => Ok(build(arguments)),
        Err(error) => Err(OperationError::Malformed { operation, why: error.to_string() }),
    }
}

fn decode_keys(operation: &'static str, payload: &[u8]) -> Result<Vec<String>, OperationError> {
    let keys = decode(operation, payload, |KeysArgs { keys }| keys)?;
    if keys.is_empty() || keys.len() > KEYS_MAX {
        return Err(OperationError::KeyCount { operation, count: keys.len() });
    }
    Ok(keys)
}

fn decode_set(payload: &[u8]) -> Result<Write, OperationError> {
    let SetArgs { key, value, expires } = decode("Set", payload, |arguments| arguments)?;
    let expires_s = u32::try_from(expires).map_err(|_| OperationError::NegativeExpiry { expires_s: expires })?;
    Ok(Write::Set { key, value, expires_s })
}
