//! What holds for every text.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::document::{Data, Input};
use super::super::{Format, HostManifest, MANIFEST_BYTES_MAX, document, variables};
use super::environment;

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "labels", "host", "actors", "links", "values", "image_ref", "limits", ":", ": ", "- ", "\n", "\n  ", "{", "}",
    "[", "]", ",", "\"", "'", "${PORT}", "${", "${X:y}", "&a ", "*a", "<<", "!!int ", "? ", "| ", "> ", "# ", "\t", "0x1F",
    "~", "---\n", "é", "\u{10F024}", "\\u0041", "1.5",
];

/// Texts that get past the first line of a parser, more often than not.
fn fragments() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(WORDS), 0..40).prop_map(|words| words.concat())
}

fn parse_both(text: &str) {
    for format in [Format::Yaml, Format::Json] {
        let outcome = HostManifest::parse("m", text, format, Path::new("/"), &environment);
        let _ = outcome.map_err(|error| (error.to_string(), error.next_step()));
    }
}

/// One scalar, through YAML or JSON and the expansion.
fn read_scalar(text: &str, format: Format) -> Option<String> {
    let input = Input { name: "m", text };
    let mut node = document::read(&input, format).ok()?;
    variables::expand(&input, &mut node, &environment).ok()?;
    match node.data {
        Data::Text(text) => Some(text),
        _ => None,
    }
}

/// What `docs/manifest.md` says of variables, one place at a time.
fn expanded_by_the_rule(text: &str) -> String {
    let Some((before, inner)) = text.split_once("${") else { return text.to_owned() };
    let reference = inner.split_once('}').filter(|(reference, _)| !reference.contains(['\n', '\r']));
    let reference = reference.map(|(reference, after)| (reference.split_once(':').unwrap_or((reference, "")), after));
    let named = |name: &str| {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        plain && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
    };
    match reference.filter(|((name, _), _)| named(name)) {
        Some(((name, default), after)) => {
            let written = &inner[..inner.len() - after.len()];
            let unset = if written.contains(':') { default.to_owned() } else { format!("${{{written}") };
            format!("{before}{}{}", environment(name).unwrap_or(unset), expanded_by_the_rule(after))
        }
        None => format!("{before}${{{}", expanded_by_the_rule(inner)),
    }
}

#[test]
fn references_without_an_end_take_no_time() {
    for unit in ["${", "${A", "${A:", "${-", "${A:-\n", "${A:}${-"] {
        let mut text = unit.repeat(MANIFEST_BYTES_MAX as usize / unit.len());
        let began = Instant::now();
        for closed in [false, true] {
            text.push_str(if closed { "}" } else { "" });
            variables::mask(&text).expect("no private character");
        }
        // Each took minutes when the end was looked for again from every beginning.
        assert!(began.elapsed() < Duration::from_secs(20), "{unit:?}: {:?}", began.elapsed());
    }
}

proptest! {
    #[test]
    fn references_are_found_by_the_rule(parts in proptest::collection::vec(proptest::sample::select(
        vec!["${", "$", "{", "}", "PORT", "UNSET", ":", "-", "9", "_", "\n", "\r", "é", "${PORT}", "${UNSET:"]), 0..24)) {
        let text = parts.concat();
        let json = serde_json::to_string(&text).expect("a text");
        prop_assert_eq!(read_scalar(&json, Format::Json), Some(expanded_by_the_rule(&text)));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        parse_both(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_fragments_panic(text in fragments()) {
        parse_both(&text);
    }

    #[test]
    fn a_text_without_references_stays(text in "[^\\p{Cc}\u{10F000}-\u{10F07F}]*") {
        prop_assume!(!text.contains("${"));
        let json = serde_json::to_string(&text).expect("a text");
        prop_assert_eq!(read_scalar(&json, Format::Json), Some(text.clone()));
        prop_assert_eq!(read_scalar(&json, Format::Yaml), Some(text));
    }

    #[test]
    fn a_reference_is_replaced_wherever_it_stands(before in "[a-z $:]*", after in "[a-z $:{]*", name in "[A-Z_][A-Z0-9_]{0,8}") {
        let quoted = format!("'{before}${{{name}}}{after}'");
        let value = environment(&name).unwrap_or_else(|| format!("${{{name}}}"));
        prop_assert_eq!(read_scalar(&quoted, Format::Yaml), Some(format!("{before}{value}{after}")));
    }

    #[test]
    fn a_variable_is_one_scalar_whatever_it_holds(value in "\\PC*", flow in any::<bool>()) {
        let text = if flow { "labels: {a: ${V}, b: c}" } else { "labels:\n  a: ${V}\n  b: c\n" };
        let environment = |name: &str| (name == "V").then(|| value.clone());
        let manifest = HostManifest::parse("m", text, Format::Yaml, Path::new("/"), &environment).expect("good");
        prop_assert_eq!(&manifest.labels["a"], &value);
        prop_assert_eq!(manifest.labels.len(), 2);
    }

    #[test]
    fn a_default_is_taken_as_it_is_written(default in "[^}\\p{Cc}\u{10F000}-\u{10F07F}\u{2028}\u{2029}\u{85}\u{feff}]*") {
        let text = format!("{{a: ${{UNSET:{default}}}}}");
        let input = Input { name: "m", text: &text };
        let mut node = document::read(&input, Format::Yaml).expect("YAML");
        variables::expand(&input, &mut node, &environment).expect("short");
        let Data::Mapping(mapping) = node.data else { panic!("no mapping") };
        let Data::Text(value) = &mapping[0].1.data else { panic!("no text") };
        prop_assert_eq!(value, &default);
    }
}
