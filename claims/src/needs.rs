//! What a provider states that it needs of the world, in its signed claims: the `needs` of its metadata. Plain data;
//! what follows from it is the host's to decide.
//!
//! It is our own extension of the token. Archives of the reference have none, which states nothing; `{}` states that
//! nothing is needed.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What a provider needs. A list of one may be written without its brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Addresses to listen on.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub listen: Vec<NeededAddress>,
    /// Addresses to connect to.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub connect: Vec<NeededAddress>,
    /// Directories, by the names that it opens them by.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub dir: Vec<NeededPath>,
    /// Files, by the names that it opens them by.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub file: Vec<NeededPath>,
    /// Variables of the environment.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Secrets, by the names that it opens them by.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub secret: Vec<String>,
    /// Whether it opens sockets by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub network: bool,
}

/// An address that is needed. Either half may name a link value: `$NAME`, `${NAME}` or `${NAME:default}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "an address is HOST:PORT, or a mapping of address and port")]
pub enum NeededAddress {
    /// `HOST:PORT`, as it is.
    Whole(String),
    /// In halves.
    Halves(AddressHalves),
}

/// The two halves of an address that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressHalves {
    /// A host. The link value that it names may hold a port, too.
    pub address: String,
    /// A port.
    #[serde(deserialize_with = "text_or_number")]
    pub port: String,
}

/// A directory or file that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeededPath {
    /// The name that the provider opens it by.
    pub name: String,
    /// Whether it changes what is there.
    #[serde(default)]
    pub access: NeededAccess,
}

/// What is done with a directory or file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeededAccess {
    /// It is read.
    #[default]
    Read,
    /// It is read and changed.
    Write,
}

fn one_or_more<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let items = match Value::deserialize(from)? {
        Value::Array(items) => items,
        item => vec![item],
    };
    items.into_iter().map(|item| serde_json::from_value(item).map_err(D::Error::custom)).collect()
}

fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(D::Error::custom("a port is a number, or a text that names a link value")),
    }
}

#[cfg(test)]
mod tests {
    use super::Needs;

    #[test]
    fn needs_are_read_in_their_short_forms_and_written_in_one() {
        let cases = [
            ("{}", Ok("{}")),
            (r#"{"listen": {"address": "$BIND", "port": 80}}"#, Ok(r#"{"listen":[{"address":"$BIND","port":"80"}]}"#)),
            (r#"{"connect": ["*:443"], "env": "TZ"}"#, Ok(r#"{"connect":["*:443"],"env":["TZ"]}"#)),
            (r#"{"dir": {"name": "d"}}"#, Ok(r#"{"dir":[{"name":"d","access":"read"}]}"#)),
            (
                r#"{"file": [{"name": "f", "access": "write"}], "network": true}"#,
                Ok(r#"{"file":[{"name":"f","access":"write"}],"network":true}"#),
            ),
            (r#"{"network": false}"#, Ok("{}")),
            (r#"{"listens": []}"#, Err("unknown field `listens`")),
            (r#"{"listen": 80}"#, Err("an address is HOST:PORT, or a mapping of address and port")),
            (r#"{"listen": {"address": "a"}}"#, Err("an address is HOST:PORT, or a mapping of address and port")),
            (r#"{"dir": {"name": "d", "path": "/"}}"#, Err("unknown field `path`")),
            (r#"{"dir": {"name": "d", "access": "all"}}"#, Err("unknown variant `all`")),
        ];
        for (text, expected) in cases {
            match (serde_json::from_str::<Needs>(text), expected) {
                (Ok(needs), Ok(written)) => assert_eq!(serde_json::to_string(&needs).expect("plain"), written),
                (Err(error), Err(why)) => assert!(error.to_string().starts_with(why), "{text}: {error}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }
}
