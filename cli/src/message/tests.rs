//! Both ways, by table and by chance.

use proptest::prelude::*;

use super::*;

fn packed_hex(json: &str) -> String {
    match pack(json.as_bytes()) {
        Ok(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(Unpackable(why)) => format!("error: {why}"),
    }
}

#[test]
fn json_becomes_messagepack() {
    let cases = [
        ("null", "c0"),
        ("true", "c3"),
        ("7", "07"),
        ("-1", "ff"),
        ("18446744073709551615", "cfffffffffffffffff"),
        ("1.0", "cb3ff0000000000000"),
        ("\"ä\"", "a2c3a4"),
        ("[1,\"a\"]", "9201a161"),
        ("{\"key\":\"v\"}", "81a36b6579a176"),
        ("{\"$bytes\":\"AP8=\"}", "c40200ff"),
        ("{\"$ext\":[5,\"AA==\"]}", "d40500"),
        ("{\"$float\":\"-inf\"}", "cbfff0000000000000"),
        ("{\"$map\":[[1,2],[null,{}]]}", "820102c080"),
        ("{\"$bytes\":\"AA==\",\"more\":1}", "82a6246279746573a441413d3da46d6f726501"),
        ("{\"$bytes\":1}", "error: \"$bytes\" must be bytes in base64, as a text"),
        ("{\"$ext\":[200,\"\"]}", "error: \"$ext\" must be [a type from -128 to 127, bytes in base64]"),
        ("{\"$float\":\"1\"}", "error: \"$float\" must be \"nan\", \"inf\" or \"-inf\""),
        ("{\"$map\":[[1]]}", "error: \"$map\" must be a list of [key, value]"),
        ("{\"$x\":1}", "error: \"$x\" is not one of $bytes, $ext, $float, $map; a map with this key is a $map"),
        ("{", "error: EOF while parsing an object at line 1 column 1"),
        ("1 2", "error: trailing characters at line 1 column 3"),
    ];
    for (json, expected) in cases {
        assert_eq!(packed_hex(json), expected, "{json}");
    }
}

#[test]
fn what_is_not_one_value_is_bytes() {
    for (bytes, json) in [
        (&b""[..], r#"{"$bytes":""}"#),
        (b"\x81", r#"{"$bytes":"gQ=="}"#),
        (b"\x01\x02", r#"{"$bytes":"AQI="}"#),
        (b"\xa2\xff\xfe", r#"{"$bytes":"//4="}"#),
        (b"\xca\x3f\x80\x00\x00", "1.0"),
        (b"\x82\xa1a\x01\xa1a\x02", r#"{"$map":[["a",1],["a",2]]}"#),
        (b"\x81\xa6$bytes\x01", r#"{"$map":[["$bytes",1]]}"#),
    ] {
        assert_eq!(unpack(bytes).to_string(), json);
    }
}

#[test]
fn depth_has_a_limit_on_both_sides() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(pack(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(packed_hex(&nested(DEPTH_MAX + 1)), "error: deeper than 32 levels");
    let bomb = [vec![0x91; 100_000], vec![0xc0]].concat();
    assert!(unpack(&bomb).get("$bytes").is_some());
    // The deepest that is taken apart can be put together again.
    let nested = |levels: usize| [[0x81, 0x01].repeat(levels - 1), vec![0xc0]].concat();
    assert!(unpack(&nested(DEPTH_MAX + 1)).get("$bytes").is_some());
    let deepest = nested(DEPTH_MAX);
    let json = unpack(&deepest).to_string();
    assert!(json.starts_with("{\"$map\""), "{json}");
    assert_eq!(pack(json.as_bytes()), Ok(deepest));
}

fn packed() -> impl Strategy<Value = Packed> {
    let leaf = prop_oneof![
        Just(Packed::Nil),
        any::<bool>().prop_map(Packed::Boolean),
        any::<u64>().prop_map(Packed::from),
        any::<i64>().prop_map(Packed::from),
        any::<f64>().prop_map(Packed::F64),
        Just(Packed::F64(f64::INFINITY)),
        ".{0,8}".prop_map(Packed::from),
        prop_oneof![Just("$bytes"), Just("$map"), Just("$ext"), Just("a")].prop_map(Packed::from),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Packed::Binary),
        (any::<i8>(), proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, bytes)| Packed::Ext(kind, bytes)),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Packed::Array),
            proptest::collection::vec((inner.clone(), inner), 0..4).prop_map(Packed::Map),
        ]
    })
}

/// Maps with distinct texts for keys come back in the order of the keys; nothing else changes.
fn sorted(packed: Packed) -> Packed {
    match packed {
        Packed::Array(items) => Packed::Array(items.into_iter().map(sorted).collect()),
        Packed::Map(pairs) => {
            let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (sorted(key), sorted(value))).collect();
            let texts: Option<std::collections::BTreeSet<_>> = pairs.iter().map(|(key, _)| key.as_str()).collect();
            if texts.is_some_and(|texts| texts.len() == pairs.len()) {
                pairs.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
            }
            Packed::Map(pairs)
        }
        other => other,
    }
}

fn bytes_of(packed: &Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, packed).expect("a vector takes it");
    bytes
}

proptest! {
    #[test]
    fn every_value_survives_the_way_through_json(value in packed()) {
        let value = sorted(value);
        let json = unpack(&bytes_of(&value)).to_string();
        let back = pack(json.as_bytes()).map_err(|Unpackable(why)| TestCaseError::fail(format!("{json}: {why}")))?;
        // Compared as bytes, because one NaN is not equal to another.
        prop_assert_eq!(back, bytes_of(&value), "{}", json);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let json = unpack(&bytes).to_string();
        prop_assert!(pack(json.as_bytes()).is_ok(), "{}", json);
    }
}
