//! Bad manifests, and all that is said about each: the golden file is what an operator reads.

use super::super::MANIFEST_BYTES_MAX;
use super::parse;

/// A name, the file, its text.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    ("empty",                    "m.yaml", ""),
    ("a comment only",           "m.yaml", "# nothing\n"),
    ("a list",                   "m.yaml", "- actors\n"),
    ("no YAML",                  "m.yaml", "actors:\n  - a\n - b\n"),
    ("an open quote",            "m.yaml", "labels: {a: 'b}\n"),
    ("a tab",                    "m.yaml", "labels:\n\ta: b\n"),
    ("two documents",            "m.yaml", "labels: {}\n---\nlabels: {}\n"),
    ("an unknown anchor",        "m.yaml", "labels: *there\n"),
    ("an alias of itself",       "m.yaml", "labels: &a {b: *a}\n"),
    ("a private character",      "m.yaml", "labels: {a: \u{10F041}}\n"),
    ("an unknown section",       "m.yaml", "labels: {}\nactor:\n  - a\n"),
    ("a key far from all",       "m.yaml", "providers: []\n"),
    ("a seed as a key",          "m.yaml", "SEED!: x\n"),
    ("a section twice",          "m.yaml", "actors: [a]\nlabels: {}\nactors: [b]\n"),
    ("a section of a text",      "m.yaml", "actors: a.wasm\n"),
    ("a label of a list",        "m.yaml", "labels:\n  region: [a]\n"),
    ("a label of nothing",       "m.yaml", "labels:\n  region:\n"),
    ("a label twice",            "m.yaml", "labels:\n  a: 1\n  a: 2\n"),
    ("two labels that expand",   "m.yaml", "labels:\n  a9090: 1\n  a${PORT}: 2\n"),
    ("a blank label",            "m.yaml", "labels: {\" \": a}\n"),
    ("host of a list",           "m.yaml", "host: []\n"),
    ("host, near a key",         "m.yaml", "host:\n  name_space: a\n"),
    ("host, another key",        "m.yaml", "host:\n  sandbox: none\n"),
    ("namespace with a slash",   "m.yaml", "host: {namespace: ../etc}\n"),
    ("namespace with a dot",     "m.yaml", "host: {namespace: a.b}\n"),
    ("namespace too long",       "m.yaml", "host: {namespace: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n"),
    ("trust, one text",          "m.yaml", "host: {trust: ISSUER!}\n"),
    ("trust, an actor",          "m.yaml", "host:\n  trust:\n    - ISSUER!\n    - ACTOR!\n"),
    ("trust, checksum",          "m.yaml", "host:\n  trust:\n    - AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCU\n"),
    ("unmetered, checksum",      "m.yaml", "host:\n  unmetered_issuers:\n    - AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCU\n"),
    ("trust, twice",             "m.yaml", "host: {trust: [ISSUER!, ISSUER!]}\n"),
    ("state_dir blank",          "m.yaml", "host: {state_dir: \"\"}\n"),
    ("an actor of nothing",      "m.yaml", "actors:\n  -\n"),
    ("an actor of a list",       "m.yaml", "actors: [[a]]\n"),
    ("a blank actor",            "m.yaml", "actors: ['${EMPTY}']\n"),
    ("the same actor",           "m.yaml", "actors:\n  - ./a.wasm\n  - {image_ref: ./a.wasm}\n"),
    ("an actor without image",   "m.yaml", "actors:\n  - limits: {instances: 1}\n"),
    ("an actor, unknown key",    "m.yaml", "actors:\n  - image-ref: a\n"),
    ("memory too small",         "m.yaml", "actors: [{image_ref: a, limits: {memory: 65535}}]\n"),
    ("memory too large",         "m.yaml", "actors: [{image_ref: a, limits: {memory: 5GiB}}]\n"),
    ("memory, decimal unit",     "m.yaml", "actors: [{image_ref: a, limits: {memory: 64MB}}]\n"),
    ("no instances",             "m.yaml", "actors: [{image_ref: a, limits: {instances: 0}}]\n"),
    ("too many instances",       "m.yaml", "actors: [{image_ref: a, limits: {instances: 16001}}]\n"),
    ("instances of a mapping",   "m.yaml", "actors: [{image_ref: a, limits: {instances: {}}}]\n"),
    ("an unknown limit",         "m.yaml", "actors: [{image_ref: a, limits: {instance: 1}}]\n"),
    ("a capability of a text",   "m.yaml", "capabilities: [a.par.gz]\n"),
    ("grants of a list",         "m.yaml", "capabilities: [{image_ref: a, grants: [listen]}]\n"),
    ("grants, unknown key",      "m.yaml", "capabilities: [{image_ref: a, grants: {listens: []}}]\n"),
    ("listen, one text",         "m.yaml", "capabilities: [{image_ref: a, grants: {listen: '127.0.0.1:80'}}]\n"),
    ("listen, no port",          "m.yaml", "capabilities: [{image_ref: a, grants: {listen: [127.0.0.1]}}]\n"),
    ("listen, a number",         "m.yaml", "capabilities: [{image_ref: a, grants: {listen: [8080]}}]\n"),
    ("listen on a name",         "m.yaml", "capabilities: [{image_ref: a, grants: {listen: ['localhost:80']}}]\n"),
    ("listen, no brackets",      "m.yaml", "capabilities: [{image_ref: a, grants: {listen: ['::1:80']}}]\n"),
    ("listen, twice",            "m.yaml", "capabilities: [{image_ref: a, grants: {listen: ['127.0.0.1:80', '[::ffff:127.0.0.1]:80']}}]\n"),
    ("connect, odd number",      "m.yaml", "capabilities: [{image_ref: a, grants: {connect: ['127.1:80']}}]\n"),
    ("connect, a URL",           "m.yaml", "capabilities: [{image_ref: a, grants: {connect: ['redis://h:1/']}}]\n"),
    ("connect, wildcard",        "m.yaml", "capabilities: [{image_ref: a, grants: {connect: ['a.*:80']}}]\n"),
    ("dir without name",         "m.yaml", "capabilities: [{image_ref: a, grants: {dir: [{path: /srv}]}}]\n"),
    ("dir of a text",            "m.yaml", "capabilities: [{image_ref: a, grants: {dir: [/srv]}}]\n"),
    ("dir, bad name",            "m.yaml", "capabilities: [{image_ref: a, grants: {dir: [{name: ../x, path: /srv}]}}]\n"),
    ("dir, bad access",          "m.yaml", "capabilities: [{image_ref: a, grants: {dir: [{name: x, path: /srv, access: rw}]}}]\n"),
    ("dir, twice",               "m.yaml", "capabilities: [{image_ref: a, grants: {dir: [{name: x, path: /a}, {name: x, path: /b}]}}]\n"),
    ("file, blank path",         "m.yaml", "capabilities: [{image_ref: a, grants: {file: [{name: x, path: ''}]}}]\n"),
    ("env, bad name",            "m.yaml", "capabilities: [{image_ref: a, grants: {env: ['A=hunter2']}}]\n"),
    ("env, unknown key",         "m.yaml", "capabilities: [{image_ref: a, grants: {env: [{name: A, from: B}]}}]\n"),
    ("secret from both",         "m.yaml", "capabilities: [{image_ref: a, grants: {secret: [{name: x, from: {env: A, file: b}}]}}]\n"),
    ("secret from nothing",      "m.yaml", "capabilities: [{image_ref: a, grants: {secret: [{name: x, from: {}}]}}]\n"),
    ("secret, no from",          "m.yaml", "capabilities: [{image_ref: a, grants: {secret: [{name: x}]}}]\n"),
    ("network, port 0",          "m.yaml", "capabilities: [{image_ref: a, grants: {network: {bind: [0]}}}]\n"),
    ("network, a list",          "m.yaml", "capabilities: [{image_ref: a, grants: {network: [80]}}]\n"),
    ("limits, unknown key",      "m.yaml", "capabilities: [{image_ref: a, limits: {ram: 1GiB}}]\n"),
    ("memory too small",         "m.yaml", "capabilities: [{image_ref: a, limits: {memory: 1MiB}}]\n"),
    ("threads too few",          "m.yaml", "capabilities: [{image_ref: a, limits: {threads: 15}}]\n"),
    ("files too few",            "m.yaml", "capabilities: [{image_ref: a, limits: {files: 31}}]\n"),
    ("file_size of nothing",     "m.yaml", "capabilities: [{image_ref: a, limits: {file_size: 0}}]\n"),
    ("cpu of a time",            "m.yaml", "capabilities: [{image_ref: a, limits: {cpu: 1h}}]\n"),
    ("cpus of nothing",          "m.yaml", "capabilities: [{image_ref: a, limits: {cpus: 0}}]\n"),
    ("cpus in another unit",     "m.yaml", "capabilities: [{image_ref: a, limits: {cpus: 500m}}]\n"),
    ("calls too many",           "m.yaml", "capabilities: [{image_ref: a, limits: {calls: 1025}}]\n"),
    ("restart of a list",        "m.yaml", "capabilities: [{image_ref: a, restart: []}]\n"),
    ("restart, unknown key",     "m.yaml", "capabilities: [{image_ref: a, restart: {polici: never}}]\n"),
    ("restart, bad policy",      "m.yaml", "capabilities: [{image_ref: a, restart: {policy: sometimes}}]\n"),
    ("restart, budget of 0",     "m.yaml", "capabilities: [{image_ref: a, restart: {budget: 0}}]\n"),
    ("restart, budget too large","m.yaml", "capabilities: [{image_ref: a, restart: {budget: 1001}}]\n"),
    ("restart, window, no unit", "m.yaml", "capabilities: [{image_ref: a, restart: {window: 60}}]\n"),
    ("restart, window too long", "m.yaml", "capabilities: [{image_ref: a, restart: {window: 25h}}]\n"),
    ("restart, bad while_down",  "m.yaml", "capabilities: [{image_ref: a, restart: {while_down: retry}}]\n"),
    ("crash_reports of a text",  "m.yaml", "capabilities: [{image_ref: a, crash_reports: full}]\n"),
    ("crash_reports, unknown",   "m.yaml", "capabilities: [{image_ref: a, crash_reports: {payloads: 1}}]\n"),
    ("payload_bytes too large",  "m.yaml", "capabilities: [{image_ref: a, crash_reports: {payload_bytes: 65537}}]\n"),
    ("the same capability",      "m.yaml", "capabilities:\n  - {image_ref: a}\n  - {image_ref: a, link_name: default}\n"),
    ("a link without actor",     "m.yaml", "links:\n  - provider_id: PROVIDER!\n    contract_id: c\n"),
    ("a link, key short",        "m.yaml", "links: [{actor: MABC, provider_id: PROVIDER!, contract_id: c}]\n"),
    ("a link, keys swapped",     "m.yaml", "links: [{actor: PROVIDER!, provider_id: ACTOR!, contract_id: c}]\n"),
    ("a link, checksum",         "m.yaml", "links:\n  - provider_id: PROVIDER!\n    contract_id: c\n    actor: MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY3\n"),
    ("a provider, checksum",     "m.yaml", "links: [{actor: ACTOR!, contract_id: c,\n  provider_id: VB33BSG4GTDWDY37JIFX3SVZH3MLRTQ7NDW3BY3RPYM4YM5UYEL66NJX}]\n"),
    ("a link, lower case",       "m.yaml", "links: [{actor: maaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, provider_id: PROVIDER!, contract_id: c}]\n"),
    ("a link, a seed",           "m.yaml", "links: [{actor: SEED!, provider_id: PROVIDER!, contract_id: c}]\n"),
    ("a link, unset variable",   "m.yaml", "links: [{actor: ${NOWHERE}, provider_id: PROVIDER!, contract_id: c}]\n"),
    ("a link, blank contract",   "m.yaml", "links: [{actor: ACTOR!, provider_id: PROVIDER!, contract_id: ' '}]\n"),
    ("a link, list of values",   "m.yaml", "links: [{actor: ACTOR!, provider_id: PROVIDER!, contract_id: c, values: [PASSWORD, hunter2]}]\n"),
    ("a link, value of a list",  "m.yaml", "links:\n  - actor: ACTOR!\n    provider_id: PROVIDER!\n    contract_id: c\n    values:\n      PASSWORD: [hunter2]\n"),
    ("a link, value of nothing", "m.yaml", "links: [{actor: ACTOR!, provider_id: PROVIDER!, contract_id: c, values: {PORT: }}]\n"),
    ("a link, value twice",      "m.yaml", "links: [{actor: ACTOR!, provider_id: PROVIDER!, contract_id: c, values: {A: hunter2, A: hunter3}}]\n"),
    ("a link, unknown key",      "m.yaml", "links: [{actor: ACTOR!, provider: PROVIDER!, contract_id: c}]\n"),
    ("the same link",            "m.yaml", "links:\n  - &link {actor: ACTOR!, provider_id: PROVIDER!, contract_id: c}\n  - {<<: *link, link_name: other}\n  - {<<: *link, link_name: ' default '}\n"),
    ("an odd name in a path",    "m.yaml", "labels: {a.b: []}\n"),
    ("no JSON",                  "m.json", "{\"actors\": [\"a\",]}"),
    ("JSON cut off",             "m.json", "{\"actors\": [\n\"a\""),
    ("JSON, and more",           "m.json", "{} {}"),
    ("JSON, bare variable",      "m.json", "{\"labels\": {\"a\": ${PORT}}}"),
    ("JSON, YAML within",        "m.json", "actors: []\n"),
    ("JSON, unknown key",        "m.json", "{\n  \"labels\": {},\n  \"link\": []\n}"),
    ("JSON, a key twice",        "m.json", "{\n  \"labels\": {\"a\": 1,\n    \"a\": 2}}"),
    ("JSON, a bad key in a list","m.json", "{\"host\": {\"trust\": [\n\"ABC\"]}}"),
    ("JSON, a bad number",       "m.json", "{\"actors\": [{\"image_ref\": \"a\",\n \"limits\": {\"instances\": -1}}]}"),
    ("JSON, escapes have no place", "m.json", "{\"host\": {\"trust\": [\n\"\\u0041BC\"]}}"),
];

#[test]
fn each_bad_manifest_is_told_what_and_where() {
    let mut golden = String::new();
    for (what, file, text) in CASES {
        let error = parse(file, text).expect_err(what);
        let said = error.to_string();
        assert!(!format!("{said}{error:?}").contains("hunter"), "{what}: a value of a link in {said}");
        golden += &format!("{what}\n  {said}\n  {}: {}\n", error.kind(), error.next_step());
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("bad_manifests", golden);
    });
}

#[test]
fn every_bound_holds_on_both_sides() {
    let bytes_max = usize::try_from(MANIFEST_BYTES_MAX).expect("fits");
    let comment = |bytes: usize| format!("labels: {{}}\n#{}", "x".repeat(bytes - 12));
    let json_lists = |depth: usize| format!("{{\"labels\": {{\"a\": {}{}}}}}", "[".repeat(depth), "]".repeat(depth));
    let yaml_lists = |depth: usize| json_lists(depth).replace('"', "");
    let block_lists = |depth: usize| format!("labels:\n  a:\n    {}x\n", "- ".repeat(depth));
    let json_entries = |count: usize| format!("{{\"labels\": [{}0]}}", "0,".repeat(count - 1));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    let long = |times: usize| format!("labels: {{a: '{}'}}", "${LONG}".repeat(times));
    let cases = [
        ("m.yaml", comment(bytes_max), "ok"),
        ("m.yaml", comment(bytes_max + 1), "too_large"),
        ("m.json", json_lists(14), "wrong_type"),
        ("m.json", json_lists(15), "too_deep"),
        ("m.json", json_lists(100_000), "too_deep"),
        ("m.yaml", yaml_lists(14), "wrong_type"),
        ("m.yaml", yaml_lists(15), "too_deep"),
        ("m.yaml", yaml_lists(100_000), "too_deep"),
        ("m.yaml", block_lists(14), "wrong_type"),
        ("m.yaml", block_lists(15), "too_deep"),
        ("m.yaml", block_lists(100_000), "too_deep"),
        ("m.json", json_entries(99_997), "wrong_type"),
        ("m.json", json_entries(99_998), "too_much"),
        ("m.yaml", json_entries(99_997), "wrong_type"),
        ("m.yaml", json_entries(99_998), "too_much"),
        ("m.yaml", bomb.to_owned(), "too_much"),
        ("m.yaml", long(3), "ok"),
        ("m.yaml", long(4), "too_large"),
    ];
    for (file, text, expected) in cases {
        let outcome = parse(file, &text).map_or_else(|error| error.kind(), |_| "ok");
        assert_eq!(outcome, expected, "{file}: {}", text.chars().take(60).collect::<String>());
    }
}
