//! Good manifests, and what they become.

use std::path::{Path, PathBuf};

use super::super::{ActorLimitsEntry, Format, Source, SourceError};
use super::{ACTOR, PROVIDER, parse};
use crate::words::ActorLimits;

const EVERY_KEY: &str = "
labels: {region: lab, rack: 7, ${PORT}: '${PORT}'}
host:
  namespace: lab-1
  trust: [ISSUER!]
  unmetered_issuers: [ISSUER!]
  state_dir: state
actors:
  - ./echo.wasm
  - ${REGISTRY:registry.example}/kvcounter:0.1.0
  - image_ref: ./big.wasm
    limits: {memory: 128 MiB, table_elements: 1000, instances: 4}
capabilities:
  - image_ref: ./httpserver.par.gz
  - {image_ref: ./httpserver.par.gz, link_name: admin}
  - image_ref: ./granted.par.gz
    grants:
      listen: [\"127.0.0.1:8080\", \"*:9000\"]
      connect: [\"Redis.Example:6379\", \"*.example.com:443\", \"10.0.0.1:*\"]
      dir: [{name: data, path: data, access: write}, {name: etc, path: /etc/app}]
      file: [{name: conf, path: ../conf.toml, access: read}]
      env: [TZ, {name: MODE, value: ${PORT}}]
      secret: [{name: key, from: {file: key.pem}}, {name: token, from: {env: TOKEN}}]
      network: {bind: [80], connect: [443, 5432]}
    limits: {memory: 512MiB, threads: 64, files: 256, file_size: 1 GiB, cpu: 3600, cpus: 1.5, calls: 16}
    crash_reports: {payload_bytes: 4KiB}
  - {image_ref: ./nothing.par.gz, grants: {}}
  - {image_ref: ./logging.par.gz, link_name: }
links:
  - actor: ${ACTOR}
    provider_id: PROVIDER!
    contract_id: wasmcloud:httpserver
    values: {PORT: ${PORT}}
  - actor: ACTOR!
    provider_id: PROVIDER!
    contract_id: wasmcloud:httpserver
    link_name: admin
    values: {PORT: ${ADMIN_PORT:8081}, BIND: \"${HOST:127.0.0.1}\"}
";

const EVERY_KEY_IN_JSON: &str = r#"{
  "labels": {"region": "lab", "rack": 7, "${PORT}": "${PORT}"},
  "host": {"namespace": "lab-1", "trust": ["ISSUER!"], "unmetered_issuers": ["ISSUER!"], "state_dir": "state"},
  "actors": ["./echo.wasm", "${REGISTRY:registry.example}/kvcounter:0.1.0",
             {"image_ref": "./big.wasm", "limits": {"memory": "128 MiB", "table_elements": 1000, "instances": 4}}],
  "capabilities": [{"image_ref": "./httpserver.par.gz"}, {"image_ref": "./httpserver.par.gz", "link_name": "admin"},
                   {"image_ref": "./granted.par.gz",
                    "grants": {"listen": ["127.0.0.1:8080", "*:9000"],
                               "connect": ["Redis.Example:6379", "*.example.com:443", "10.0.0.1:*"],
                               "dir": [{"name": "data", "path": "data", "access": "write"}, {"name": "etc", "path": "/etc/app"}],
                               "file": [{"name": "conf", "path": "../conf.toml", "access": "read"}],
                               "env": ["TZ", {"name": "MODE", "value": "${PORT}"}],
                               "secret": [{"name": "key", "from": {"file": "key.pem"}}, {"name": "token", "from": {"env": "TOKEN"}}],
                               "network": {"bind": [80], "connect": [443, 5432]}},
                    "limits": {"memory": "512MiB", "threads": 64, "files": 256, "file_size": "1 GiB", "cpu": 3600, "cpus": 1.5, "calls": 16},
                    "crash_reports": {"payload_bytes": 4096}},
                   {"image_ref": "./nothing.par.gz", "grants": {}},
                   {"image_ref": "./logging.par.gz", "link_name": null}],
  "links": [
    {"actor": "${ACTOR}", "provider_id": "PROVIDER!", "contract_id": "wasmcloud:httpserver",
     "values": {"PORT": "${PORT}"}},
    {"actor": "ACTOR!", "provider_id": "PROVIDER!", "contract_id": "wasmcloud:httpserver", "link_name": "admin",
     "values": {"PORT": "${ADMIN_PORT:8081}", "BIND": "${HOST:127.0.0.1}"}}
  ]
}"#;

#[test]
fn every_key_is_read_alike_from_both_formats() {
    let manifest = parse("m.yaml", EVERY_KEY).expect("good");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_debug_snapshot!("every_key", manifest);
    });
    assert_eq!(manifest.links[1].values["PORT"], "8081");
    assert_eq!(parse("m.json", EVERY_KEY_IN_JSON).expect("good"), manifest);
}

#[test]
fn every_section_may_be_missing_or_nothing() {
    for (file, text) in [("m.yaml", "{}"), ("m.yaml", "labels:\nhost:\nactors:\n"), ("m.json", "{\"links\": null}")] {
        let manifest = parse(file, text).expect(text);
        assert!(manifest.links.is_empty() && manifest.actors.is_empty() && manifest.labels.is_empty(), "{text}");
    }
    assert!(parse("m.yaml", "\u{feff}labels: {}\r\n").is_ok(), "a byte order mark");
}

/// One value of a link: how it is written in YAML, and what it becomes.
#[test]
fn values_are_texts_as_they_are_written() {
    let cases = [
        ("8080", "8080"),
        ("true", "true"),
        ("yes", "yes"),
        ("1.50", "1.50"),
        ("0x1F", "0x1F"),
        ("007", "007"),
        ("1e3", "1e3"),
        (".nan", ".nan"),
        ("-1", "-1"),
        ("18446744073709551616", "18446744073709551616"),
        ("'8080'", "8080"),
        ("''", ""),
        ("2021-01-01", "2021-01-01"),
        ("&port 8080", "8080"),
        ("[]", "error"),
        ("~", "error"),
        ("'~'", "~"),
        // Variables.
        ("${PORT}", "9090"),
        ("'${PORT}'", "9090"),
        ("\"${PORT}\"", "9090"),
        ("a${PORT}b${PORT}c", "a9090b9090c"),
        ("é${PORT}é", "é9090é"),
        ("$PORT", "$PORT"),
        ("$${PORT}", "$9090"),
        ("${NOWHERE}", "${NOWHERE}"),
        ("${NOWHERE:8080}", "8080"),
        ("${NOWHERE:}", ""),
        ("${EMPTY:8080}", ""),
        ("${NOWHERE:a:b, c # d}", "a:b, c # d"),
        ("${NOWHERE:\"é\"}", "\"é\""),
        ("${PORT", "error"),
        ("'${PORT'", "${PORT"),
        ("'${}'", "${}"),
        ("'${PO RT}'", "${PO RT}"),
        ("'${1PORT}'", "${1PORT}"),
        // A variable is one text, whatever it holds.
        ("${EVIL}", "x, ADMIN: true}\n# \"'"),
        ("${NESTED}", "${PORT}"),
    ];
    for (written, expected) in cases {
        let text =
            format!("links: [{{actor: ACTOR!, provider_id: PROVIDER!, contract_id: c, values: {{A: {written}}}}}]");
        let value = parse("m.yaml", &text).map(|manifest| manifest.links[0].values["A"].clone());
        assert_eq!(value.unwrap_or("error".into()), expected, "{written}");
    }
}

#[test]
fn an_alias_repeats_a_value_with_its_spelling() {
    let text = "labels: {a: &port 0x1F90, b: *port, c: &v '${PORT}', d: *v}";
    let labels = parse("m.yaml", text).expect("good").labels;
    assert_eq!(labels.into_values().collect::<Vec<_>>(), ["0x1F90", "0x1F90", "9090", "9090"]);
}

#[test]
fn the_values_of_a_link_are_never_shown() {
    let text = "links: [{actor: ACTOR!, provider_id: PROVIDER!, contract_id: c, values: {PASSWORD: ${SECRET}}}]";
    let manifest = parse("m.yaml", text).expect("good");
    assert_eq!(manifest.links[0].values["PASSWORD"], "hunter2");
    let shown = format!("{manifest:?} {manifest:#?}");
    assert!(shown.contains("PASSWORD") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_file_that_is_there_wins_over_a_registry() {
    let there = ["/m/echo.wasm", "/m/registry.example/echo:1", "/abs/a.par"];
    let is_file = |path: &Path| there.iter().any(|there| Path::new(there) == path);
    let file = |path: &str| Ok(Source::File(PathBuf::from(path)));
    let registry = |image_ref: &str| Ok(Source::Registry(image_ref.to_owned()));
    let none = |image_ref: &str, tried: &str| {
        Err(SourceError::NoFile { image_ref: image_ref.to_owned(), tried: PathBuf::from(tried) })
    };
    let cases = [
        ("./echo.wasm", file("/m/echo.wasm")),
        ("echo.wasm", file("/m/echo.wasm")),
        ("registry.example/echo:1", file("/m/registry.example/echo:1")),
        ("registry.example/echo:2", registry("registry.example/echo:2")),
        ("echo", registry("echo")),
        ("/abs/a.par", file("/abs/a.par")),
        ("/abs/b", none("/abs/b", "/abs/b")),
        ("./echo", none("./echo", "/m/echo")),
        ("../echo", none("../echo", "/m/../echo")),
        ("~/echo", none("~/echo", "/m/~/echo")),
        ("b.wasm", none("b.wasm", "/m/b.wasm")),
        ("b.par", none("b.par", "/m/b.par")),
        ("b.par.gz", none("b.par.gz", "/m/b.par.gz")),
    ];
    for (image_ref, expected) in cases {
        assert_eq!(Source::of(image_ref, Path::new("/m"), &is_file), expected, "{image_ref}");
    }
    let error = Source::of("b.wasm", Path::new("/m"), &|_| false).expect_err("no file");
    assert_eq!(error.to_string(), "\"b.wasm\" is a path, and there is no file /m/b.wasm");
}

#[test]
fn the_extension_says_the_format() {
    for (file, format) in [
        ("m.yaml", Format::Yaml),
        ("m.yml", Format::Yaml),
        ("m.YML", Format::Yaml),
        ("m", Format::Yaml),
        ("/a.json/m", Format::Yaml),
        ("m.json", Format::Json),
        ("m.txt", Format::Json),
    ] {
        assert_eq!(Format::of(Path::new(file)), format, "{file}");
    }
}

#[test]
fn limits_that_are_missing_are_the_hosts() {
    let entry = ActorLimitsEntry { instances_max: Some(3), ..Default::default() };
    assert_eq!(entry.over(ActorLimits::default()), ActorLimits { instances_max: 3, ..Default::default() });
}

#[test]
fn a_blank_link_name_is_the_default_one() {
    let text = "links: [{actor: ACTOR!, provider_id: PROVIDER!, contract_id: c, link_name: ' '}]";
    let link = parse("m.yaml", text).expect("good").links.remove(0);
    assert_eq!((link.actor.as_str(), link.provider_id.as_str(), link.link_name.as_deref()), (ACTOR, PROVIDER, None));
    assert_eq!(link.key().link_name, "default");
}
