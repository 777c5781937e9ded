//! JSON as people write it, MessagePack as actors read it, and back without loss.
//!
//! Most of both is the same. What JSON lacks is an object with one key that begins with `$`: bytes are
//! `{"$bytes": "base64"}`, an extension `{"$ext": [type, "base64"]}`, a float that is no number `{"$float": "nan"}` (or
//! `inf`, `-inf`), and a map whose keys are not distinct texts (or that would be mistaken for one of these) is
//! `{"$map": [[key, value], …]}`. A text that is not UTF-8 becomes bytes, a 32-bit float the same number in 64 bits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmpv::Value as Packed;
use serde_json::{Map, Number, Value as Json, json};

/// Values nested deeper are refused. As JSON they are at most three times as deep, which its parser still takes.
const DEPTH_MAX: usize = 32;
/// The reader of MessagePack counts each level several times; this is for its stack only.
const READER_DEPTH_MAX: usize = 4 * DEPTH_MAX;

/// Why a value cannot be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unpackable(pub(crate) String);

/// The MessagePack of a JSON text.
pub(crate) fn pack(json: &[u8]) -> Result<Vec<u8>, Unpackable> {
    let json: Json = serde_json::from_slice(json).map_err(|error| Unpackable(error.to_string()))?;
    let packed = to_packed(&json, DEPTH_MAX)?;
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &packed).map_err(|error| Unpackable(error.to_string()))?;
    Ok(bytes)
}

/// The JSON of an answer. What is not one MessagePack value, and no more, is shown as bytes.
pub(crate) fn unpack(bytes: &[u8]) -> Json {
    let mut rest = bytes;
    match rmpv::decode::read_value_with_max_depth(&mut rest, READER_DEPTH_MAX) {
        Ok(packed) if rest.is_empty() && depth(&packed) <= DEPTH_MAX => to_json(packed),
        _ => bytes_json(bytes),
    }
}

fn to_packed(json: &Json, depth_left: usize) -> Result<Packed, Unpackable> {
    let deeper = depth_left.checked_sub(1).ok_or_else(|| Unpackable(format!("deeper than {DEPTH_MAX} levels")))?;
    Ok(match json {
        Json::Null => Packed::Nil,
        Json::Bool(value) => Packed::Boolean(*value),
        Json::Number(number) => number_packed(number),
        Json::String(text) => Packed::from(text.as_str()),
        Json::Array(items) => {
            Packed::Array(items.iter().map(|item| to_packed(item, deeper)).collect::<Result<_, _>>()?)
        }
        Json::Object(object) => match special(object) {
            Some((key, value)) => special_packed(key, value, deeper)?,
            None => {
                let pair = |(key, value): (&String, &Json)| Ok((Packed::from(key.as_str()), to_packed(value, deeper)?));
                Packed::Map(object.iter().map(pair).collect::<Result<_, _>>()?)
            }
        },
    })
}

fn number_packed(number: &Number) -> Packed {
    match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => Packed::from(value),
        (None, Some(value)) => Packed::from(value),
        (None, None) => Packed::F64(number.as_f64().unwrap_or(f64::NAN)),
    }
}

fn special(object: &Map<String, Json>) -> Option<(&str, &Json)> {
    let (key, value) = object.iter().next()?;
    (object.len() == 1 && key.starts_with('$')).then_some((key, value))
}

fn special_packed(key: &str, value: &Json, depth_left: usize) -> Result<Packed, Unpackable> {
    let wrong = |form: &str| Unpackable(format!("{key:?} must be {form}"));
    let base64 = |value: &Json| value.as_str().and_then(|text| STANDARD.decode(text).ok());
    match key {
        "$bytes" => base64(value).map(Packed::Binary).ok_or_else(|| wrong("bytes in base64, as a text")),
        "$ext" => {
            let parts = value.as_array().and_then(|parts| match &parts[..] {
                [kind, bytes] => Some(Packed::Ext(i8::try_from(kind.as_i64()?).ok()?, base64(bytes)?)),
                _ => None,
            });
            parts.ok_or_else(|| wrong("[a type from -128 to 127, bytes in base64]"))
        }
        "$float" => match value.as_str() {
            Some("nan") => Ok(Packed::F64(f64::NAN)),
            Some("inf") => Ok(Packed::F64(f64::INFINITY)),
            Some("-inf") => Ok(Packed::F64(f64::NEG_INFINITY)),
            _ => Err(wrong("\"nan\", \"inf\" or \"-inf\"")),
        },
        "$map" => {
            let pairs = value.as_array().ok_or_else(|| wrong("a list of [key, value]"))?;
            let pair = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
                Some([key, value]) => Ok((to_packed(key, depth_left)?, to_packed(value, depth_left)?)),
                _ => Err(wrong("a list of [key, value]")),
            };
            pairs.iter().map(pair).collect::<Result<_, _>>().map(Packed::Map)
        }
        _ => {
            Err(Unpackable(format!("{key:?} is not one of $bytes, $ext, $float, $map; a map with this key is a $map")))
        }
    }
}

fn depth(packed: &Packed) -> usize {
    let inside = match packed {
        Packed::Array(items) => items.iter().map(depth).max(),
        Packed::Map(pairs) => pairs.iter().map(|(key, value)| depth(key).max(depth(value))).max(),
        _ => None,
    };
    1 + inside.unwrap_or_default()
}

fn to_json(packed: Packed) -> Json {
    match packed {
        Packed::Nil => Json::Null,
        Packed::Boolean(value) => Json::Bool(value),
        Packed::Integer(value) => match (value.as_u64(), value.as_i64()) {
            (Some(value), _) => json!(value),
            (_, value) => json!(value),
        },
        Packed::F32(value) => float_json(f64::from(value)),
        Packed::F64(value) => float_json(value),
        Packed::String(text) => match text.as_str() {
            Some(text) => Json::String(text.to_owned()),
            None => bytes_json(text.as_bytes()),
        },
        Packed::Binary(bytes) => bytes_json(&bytes),
        Packed::Array(items) => Json::Array(items.into_iter().map(to_json).collect()),
        Packed::Map(pairs) => map_json(pairs),
        Packed::Ext(kind, bytes) => json!({"$ext": [kind, STANDARD.encode(bytes)]}),
    }
}

fn map_json(pairs: Vec<(Packed, Packed)>) -> Json {
    let mut object = Map::new();
    for (key, value) in &pairs {
        match key.as_str() {
            Some(key) if !object.contains_key(key) => object.insert(key.to_owned(), to_json(value.clone())),
            _ => return pairs_json(pairs),
        };
    }
    if special(&object).is_some() { pairs_json(pairs) } else { Json::Object(object) }
}

fn pairs_json(pairs: Vec<(Packed, Packed)>) -> Json {
    let pairs: Vec<Json> = pairs.into_iter().map(|(key, value)| json!([to_json(key), to_json(value)])).collect();
    json!({"$map": pairs})
}

fn float_json(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => json!({"$float": "nan"}),
        None if value.is_sign_positive() => json!({"$float": "inf"}),
        None => json!({"$float": "-inf"}),
    }
}

fn bytes_json(bytes: &[u8]) -> Json {
    json!({"$bytes": STANDARD.encode(bytes)})
}

#[cfg(test)]
mod tests;
