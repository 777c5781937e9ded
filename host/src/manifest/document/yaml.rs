//! YAML by `serde_saphyr`, under its budget: aliases and merges can repeat a node, but not without end.
//!
//! References to variables are masked while YAML is read (see [`mask`]): `{PORT: ${PORT}}` would be no YAML otherwise.

use std::fmt;

use serde::de::{Deserialize, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, NonFiniteFloatPolicy, Options, Spanned};

use super::{At, DEPTH_MAX, Data, Format, Input, Key, NODES_MAX, Node};
use crate::manifest::variables::{Mask, mask};
use crate::manifest::{Fault, ManifestError, Position};

/// Uses of aliases, and entries that they may repeat.
const ALIASES_MAX: usize = 1000;

pub(super) fn read(input: &Input<'_>) -> Result<Node, ManifestError> {
    let masked = mask(input.text).map_err(|byte| {
        let at = input.position(Some(At::Byte(byte)));
        ManifestError::of_file(input.name, Fault::PrivateCharacter).at(at)
    })?;
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(&masked.text, options()) {
        Ok(raw) => Ok(node(raw, &masked)),
        Err(error) => Err(refuse(input, &error)),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 3 * NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_merge_keys: ALIASES_MAX,
            max_recorded_anchor_events: NODES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: DEPTH_MAX,
            max_alias_expansions_per_anchor: ALIASES_MAX,
        },
        // Told by the cursor, which knows the path.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn refuse(input: &Input<'_>, error: &serde_saphyr::Error) -> ManifestError {
    use serde_saphyr::Error as Yaml;
    use serde_saphyr::budget::BudgetBreach;

    let at = error.location().and_then(position);
    let mut cause = error.without_snippet();
    while let Yaml::AliasError { error, .. } = cause {
        cause = error.without_snippet();
    }
    // Its text ends in its own words for the place.
    let text = cause.to_string();
    let own_place = cause.location().map(|place| format!(" at line {}, column {}", place.line(), place.column()));
    let message = own_place.map_or(text.clone(), |place| text.replace(&place, ""));
    let fault = match cause {
        Yaml::Budget { breach: BudgetBreach::Depth { .. }, .. } => Fault::TooDeep { depth_max: DEPTH_MAX },
        // The scanner looks ahead, so it may give up before the budget counts.
        _ if message == "recursion limit exceeded" => Fault::TooDeep { depth_max: DEPTH_MAX },
        Yaml::Budget { .. }
        | Yaml::AliasReplayCounterOverflow { .. }
        | Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. }
        | Yaml::AliasExpansionLimitExceeded { .. } => Fault::TooMuch { what: message },
        Yaml::MultipleDocuments { .. } => syntax("a second document, where one is the manifest"),
        Yaml::RecursiveReferencesRequireWeakTypes { .. } => syntax("an alias inside of what it stands for"),
        _ => syntax(&message),
    };
    ManifestError::of_file(input.name, fault).at(at)
}

fn syntax(message: &str) -> Fault {
    Fault::Syntax { format: Format::Yaml, message: message.to_owned() }
}

fn position(location: Location) -> Option<Position> {
    (location.line() > 0).then(|| Position { line: location.line(), column: location.column() })
}

/// A node as YAML has it. A typed scalar lost its spelling, which is still in the text.
enum Raw {
    Nothing,
    Text(String),
    Typed(String),
    List(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, masked: &Mask) -> Node {
    let at = |location| position(location).map(At::Position);
    let data = match raw.value {
        Raw::Nothing => Data::Nothing,
        Raw::Text(text) => Data::Text(masked.lift(&text)),
        Raw::Typed(text) => Data::Text(spelling(raw.defined, &masked.text).map_or(text, str::to_owned)),
        Raw::List(list) => Data::List(list.into_iter().map(|entry| node(entry, masked)).collect()),
        Raw::Mapping(mapping) => {
            let entry = |(key, value): (Spanned<String>, _)| {
                (Key { at: at(key.referenced), text: masked.lift(&key.value) }, node(value, masked))
            };
            Data::Mapping(mapping.into_iter().map(entry).collect())
        }
    };
    Node { at: at(raw.referenced), data }
}

/// How a number or a truth value was written: `0x1F`, `1.50`, `yes`.
fn spelling(location: Location, text: &str) -> Option<&str> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    let written = text.get(start..end)?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
    (!written.is_empty() && written.chars().all(plain)).then_some(written)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Raw::Mapping(mapping))
    }
}
