//! The rule as tables: what is stated, granted and linked, and what follows.

use std::collections::BTreeMap;
use std::fmt::Write;

use cofferdam_claims::Needs;
use proptest::prelude::*;

use super::{Act, Allowance, Named, Values};
use crate::words::{Access, Address, Cover, EnvGrant, Grants, NetworkGrant, PathGrant, SecretGrant, SecretSource};

/// What the HTTP server states.
const HTTP: &str = r#"{"listen": {"address": "${BIND:127.0.0.1}", "port": "${PORT:8080}"}, "file": {"name": "tls-*"},
                       "env": "HTTP_LOOPS", "secret": "tls-*"}"#;
/// What a client of a database might state.
const CLIENT: &str = r#"{"connect": [{"address": "$HOST", "port": "${PORT:6379}"}, "*.example.com:443"]}"#;

fn needs(json: &str) -> Needs {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn links(links: &[&[(&str, &str)]]) -> Vec<Values> {
    let link = |values: &&[(&str, &str)]| {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    links.iter().map(link).collect()
}

fn addresses(act: Act, granted: &[&str]) -> Grants {
    let patterns = granted.iter().map(|text| text.parse().expect(text)).collect();
    match act {
        Act::Listen => Grants { listen: patterns, ..Grants::default() },
        Act::Connect => Grants { connect: patterns, ..Grants::default() },
    }
}

struct Case<'a> {
    needs: Option<&'a str>,
    grants: Option<&'a [&'a str]>,
    links: &'a [&'a [(&'a str, &'a str)]],
    asked: &'a str,
    had: bool,
}

fn check(act: Act, cases: &[Case<'_>]) {
    for Case { needs: stated, grants, links: linked, asked, had } in cases {
        let grants = grants.map(|granted| addresses(act, granted));
        let allowance = Allowance::new(stated.map(needs).as_ref(), grants.clone()).expect("they are good");
        let asked: Address = asked.parse().expect("an address");
        let found = allowance.address(act, &asked, links(linked).iter());
        assert_eq!(found.is_ok(), *had, "{asked} with {stated:?}, {grants:?} and {linked:?}: {found:?}");
    }
}

macro_rules! cases {
    ($(($needs:expr, $grants:expr, $links:expr, $asked:expr, $had:expr),)+) => {
        &[$(Case { needs: $needs, grants: $grants, links: $links, asked: $asked, had: $had }),+]
    };
}

/// Those of our own providers, and those in `docs/providers.md`, which people copy.
#[test]
fn the_needs_that_are_shipped_and_shown_are_good() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/providers.md")).expect("the page is there");
    let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned);
    let shown: Vec<String> = blocks.collect();
    assert!(!shown.is_empty(), "the page shows no needs");
    let shipped = ["httpserver", "keyvalue", "logging", "template"].map(|name| {
        let path = root.join("providers").join(name).join("needs.json");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    for json in shown.iter().chain(&shipped) {
        Allowance::new(Some(&needs(json)), None).unwrap_or_else(|error| panic!("{error}\n{json}"));
    }
    assert_eq!(needs(&shipped[0]), needs(HTTP), "the tables below are of the needs that are shipped");
}

#[test]
fn what_may_be_listened_on() {
    let (http, none) = (Some(HTTP), None);
    #[rustfmt::skip]
    check(Act::Listen, cases![
        // The values of a bound link, and the signed defaults for those that it does not set.
        (http, none, &[&[("PORT", "8081")]], "127.0.0.1:8081", true),
        (http, none, &[&[("PORT", "8081")]], "[::ffff:127.0.0.1]:8081", true),
        (http, none, &[&[("PORT", "8081")]], "127.0.0.1:8080", false),
        (http, none, &[&[("PORT", "8081")]], "0.0.0.0:8081", false),
        (http, none, &[&[("PORT", "8081")]], "127.0.0.2:8081", false),
        (http, none, &[&[("PORT", "0")]], "127.0.0.1:0", true),
        (http, none, &[&[("PORT", "0")]], "127.0.0.1:80", false),
        (http, none, &[&[]], "127.0.0.1:8080", true),
        (http, none, &[], "127.0.0.1:8080", false),
        (http, none, &[&[("BIND", "0.0.0.0:81")]], "0.0.0.0:81", true),
        (http, none, &[&[("BIND", "0.0.0.0:81"), ("PORT", "81")]], "0.0.0.0:81", true),
        (http, none, &[&[("BIND", "0.0.0.0:81"), ("PORT", "82")]], "0.0.0.0:81", false),
        (http, none, &[&[("BIND", "0.0.0.0:81"), ("PORT", "82")]], "0.0.0.0:82", false),
        (http, none, &[&[("BIND", "0.0.0.0"), ("PORT", "81")]], "0.0.0.0:81", true),
        (http, none, &[&[("BIND", "0.0.0.0")]], "0.0.0.0:8080", true),
        (http, none, &[&[("BIND", "9000")]], "127.0.0.1:9000", true),
        (http, none, &[&[("BIND", "::"), ("PORT", "81")]], "[::]:81", true),
        (http, none, &[&[("BIND", "[::1]"), ("PORT", "81")]], "[::1]:81", true),
        (http, none, &[&[("BIND", "[::1]:81")]], "[::1]:81", true),
        (http, none, &[&[("BIND", "localhost"), ("PORT", "81")]], "127.0.0.1:81", false),
        (http, none, &[&[("PORT", "eighty")]], "127.0.0.1:8080", false),
        // Values of two links are never put together.
        (http, none, &[&[("BIND", "0.0.0.0"), ("PORT", "1")], &[("PORT", "2")]], "0.0.0.0:2", false),
        (http, none, &[&[("BIND", "0.0.0.0"), ("PORT", "1")], &[("PORT", "2")]], "127.0.0.1:2", true),
        // Grants narrow it, and give nothing beyond.
        (http, Some(&[]), &[&[("PORT", "81")]], "127.0.0.1:81", false),
        (http, Some(&["127.0.0.1:81"]), &[&[("PORT", "81")]], "127.0.0.1:81", true),
        (http, Some(&["127.0.0.1:82"]), &[&[("PORT", "81")]], "127.0.0.1:81", false),
        (http, Some(&["127.0.0.1:82"]), &[&[("PORT", "81")]], "127.0.0.1:82", false),
        (http, Some(&["127.0.0.1:*"]), &[&[("PORT", "81")]], "127.0.0.1:81", true),
        (http, Some(&["*:81"]), &[&[("BIND", "0.0.0.0:81")]], "0.0.0.0:81", true),
        (http, Some(&["*:81"]), &[&[("BIND", "0.0.0.0:82")]], "0.0.0.0:82", false),
        // An archive that states nothing gets what is granted.
        (None, none, &[&[("PORT", "81")]], "127.0.0.1:81", false),
        (None, Some(&["127.0.0.1:81"]), &[], "127.0.0.1:81", true),
        (None, Some(&["127.0.0.1:81"]), &[], "127.0.0.1:82", false),
        // One that needs nothing gets nothing.
        (Some("{}"), none, &[&[("PORT", "81")]], "127.0.0.1:81", false),
        (Some("{}"), Some(&["127.0.0.1:81"]), &[], "127.0.0.1:81", false),
        // What is needed without a link value takes a grant.
        (Some(r#"{"listen": "127.0.0.1:81"}"#), none, &[&[]], "127.0.0.1:81", false),
        (Some(r#"{"listen": "127.0.0.1:81"}"#), Some(&["127.0.0.1:81"]), &[], "127.0.0.1:81", true),
        (Some(r#"{"listen": "*:81"}"#), Some(&["127.0.0.1:81"]), &[], "0.0.0.0:81", false),
    ]);
}

#[test]
fn what_may_be_connected_to() {
    let (client, none) = (Some(CLIENT), None);
    #[rustfmt::skip]
    check(Act::Connect, cases![
        (client, none, &[&[("HOST", "redis.example")]], "redis.example:6379", true),
        (client, none, &[&[("HOST", "Redis.Example.")]], "redis.example:6379", true),
        (client, none, &[&[("HOST", "redis.example:7000")]], "redis.example:7000", true),
        (client, none, &[&[("HOST", "redis.example:7000")]], "redis.example:6379", false),
        (client, none, &[&[("HOST", "10.0.0.1"), ("PORT", "7000")]], "10.0.0.1:7000", true),
        (client, none, &[&[("HOST", "127.0.0.1")]], "127.0.0.1:6379", true),
        (client, none, &[&[("HOST", "127.0.0.1")]], "localhost:6379", false),
        (client, none, &[&[("HOST", "127.1")]], "127.0.0.1:6379", false),
        (client, none, &[&[("PORT", "7000")]], "127.0.0.1:7000", false),
        (client, none, &[&[]], "redis.example:6379", false),
        // Without a link value it takes a grant.
        (client, none, &[], "a.example.com:443", false),
        (client, Some(&["a.example.com:443"]), &[], "a.example.com:443", true),
        (client, Some(&["a.example.com:443"]), &[], "b.example.com:443", false),
        (client, Some(&["*:443"]), &[], "a.example.com:443", true),
        (client, Some(&["*:443"]), &[], "example.org:443", false),
        (client, Some(&["*:*"]), &[&[("HOST", "127.0.0.1")]], "127.0.0.1:6379", false),
        (client, Some(&["127.0.0.1:*"]), &[&[("HOST", "127.0.0.1")]], "127.0.0.1:6379", true),
        // A wildcard for hosts does not lead back to this machine.
        (None, Some(&["*:443"]), &[], "example.org:443", true),
        (None, Some(&["*:443"]), &[], "10.0.0.1:443", true),
        (None, Some(&["*:443"]), &[], "127.0.0.1:443", false),
        (None, Some(&["*:80"]), &[], "169.254.169.254:80", false),
        (None, Some(&["*:80", "169.254.169.254:80"]), &[], "169.254.169.254:80", true),
    ]);
}

/// The host looks names up; how a name was granted decides where it may lead.
#[test]
fn how_an_address_is_covered_is_told() {
    let cases = [
        (None, Some(&["*:443"][..]), "a.b:443", Cover::Wildcard),
        (None, Some(&["*:443", "a.b:443"][..]), "a.b:443", Cover::Host),
        (Some(CLIENT), None, "a.b:6379", Cover::Host),
        (Some(CLIENT), Some(&["*:6379"][..]), "a.b:6379", Cover::Host),
        (Some(CLIENT), Some(&["*:443"][..]), "a.example.com:443", Cover::Wildcard),
    ];
    for (stated, grants, asked, expected) in cases {
        let grants = grants.map(|granted| addresses(Act::Connect, granted));
        let allowance = Allowance::new(stated.map(needs).as_ref(), grants).expect("good");
        let linked = links(&[&[("HOST", "a.b")]]);
        let found = allowance.address(Act::Connect, &asked.parse().expect(asked), linked.iter());
        assert_eq!(found, Ok(expected), "{asked}");
    }
}

fn everything() -> Grants {
    let path = |name: &str, access| PathGrant { name: name.to_owned(), path: "/srv".into(), access };
    let secret = |name: &str, from| SecretGrant { name: name.to_owned(), from };
    Grants {
        listen: vec!["127.0.0.1:80".parse().expect("an address")],
        connect: vec!["*.example.com:443".parse().expect("an address")],
        dir: vec![path("data", Access::Write), path("more", Access::Read)],
        file: vec![path("conf", Access::Read), path("log", Access::Write)],
        env: vec![
            EnvGrant { name: "TZ".to_owned(), value: None },
            EnvGrant { name: "MODE".to_owned(), value: Some("s3cret".to_owned()) },
        ],
        secret: vec![
            secret("key", SecretSource::File("/etc/key".into())),
            secret("token", SecretSource::Env("TOKEN".to_owned())),
        ],
        network: Some(NetworkGrant { bind: vec![80], connect: Vec::new() }),
    }
}

#[test]
fn denials_say_what_and_how_to_grant_it() {
    let mut golden = String::new();
    let of = |stated: Option<&str>, grants| Allowance::new(stated.map(needs).as_ref(), grants).expect("good");
    let allowances = [
        ("nothing stated, no grants", of(None, None)),
        ("nothing stated, no listen", of(None, Some(Grants::default()))),
        ("the HTTP server", of(Some(HTTP), None)),
        ("needs nothing", of(Some("{}"), None)),
        ("needs it as it stands", of(Some(r#"{"connect": "db.example:5432", "listen": "127.0.0.1:80"}"#), None)),
    ];
    for (what, allowance) in &allowances {
        for (act, asked) in [(Act::Listen, "127.0.0.1:80"), (Act::Listen, "[::]:80"), (Act::Connect, "db.example:5432")]
        {
            let denial = allowance.address(act, &asked.parse().expect(asked), [].iter());
            let _ = writeln!(golden, "{what}: {}", denial.expect_err("it is denied"));
        }
    }
    let granted = of(None, Some(everything()));
    for (name, access) in [
        ("other", Access::Read),
        ("other", Access::Write),
        ("conf", Access::Write),
        ("key", Access::Write),
        ("../etc/passwd", Access::Read),
        ("a\n\u{1b}[2J", Access::Read),
    ] {
        let _ = writeln!(golden, "{}", granted.named(name, access).expect_err("it is denied"));
    }
    let _ = writeln!(golden, "{}", super::Denial::no_landlock("conf"));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("denials", golden);
    });
    for (name, access) in [("conf", Access::Read), ("log", Access::Write), ("log", Access::Read)] {
        assert!(matches!(granted.named(name, access), Ok(Named::File(file)) if file.name == name), "{name}");
    }
    assert!(matches!(granted.named("key", Access::Read), Ok(Named::Secret(_))));
}

#[test]
fn what_goes_by_names_is_narrowed_to_the_needs() {
    let all = r#"{"dir": [{"name": "data"}, {"name": "more", "access": "write"}], "file": [{"name": "conf"}, {"name": "log"}],
                 "env": ["TZ", "MODE"], "secret": ["key", "token"], "network": true}"#;
    let allowance = Allowance::new(Some(&needs(all)), Some(everything())).expect("all of it is needed");
    let accesses = |paths: &[PathGrant]| paths.iter().map(|path| path.access.word()).collect::<Vec<_>>();
    assert_eq!((accesses(allowance.dirs()), accesses(allowance.files())), (vec!["read", "read"], vec!["read", "read"]));
    assert!(allowance.named("log", Access::Write).is_err());
}

/// Of files and secrets, any number may be needed by how their names begin. That is no grant: what is granted is had, no more.
#[test]
fn names_may_be_needed_by_how_they_begin() {
    let secret = |name: &str| SecretGrant { name: name.to_owned(), from: SecretSource::Env("TOKEN".to_owned()) };
    let file = |name: &str| PathGrant { name: name.to_owned(), path: "/etc/cert".into(), access: Access::Write };
    // The name, under which needs, and whether it may be granted.
    let cases = [
        ("tls-key", "tls-*", true),
        ("tls-", "tls-*", true),
        ("tls", "tls-*", false),
        ("other-tls-key", "tls-*", false),
        ("tls-key", "tls-key", true),
        ("tls-keys", "tls-key", false),
    ];
    for (name, need, may) in cases {
        let of_secrets = needs(&format!(r#"{{"secret": ["x", "{need}"]}}"#));
        let of_files = needs(&format!(r#"{{"file": [{{"name": "{need}"}}]}}"#));
        let granted = [
            (of_secrets, Grants { secret: vec![secret(name)], ..Grants::default() }),
            (of_files, Grants { file: vec![file(name)], ..Grants::default() }),
        ];
        for (needs, grants) in granted {
            let allowance = Allowance::new(Some(&needs), Some(grants));
            assert_eq!(allowance.is_ok(), may, "{name} where {need} is needed");
            let Ok(allowance) = allowance else { continue };
            assert!(allowance.named(name, Access::Read).is_ok() && allowance.named(name, Access::Write).is_err());
            assert!(allowance.named("tls-never-granted", Access::Read).is_err());
        }
        assert!(Allowance::new(Some(&needs(&format!(r#"{{"secret": "{need}"}}"#))), None).is_ok());
    }
}

/// What is shown of each, for people: what is needed, granted and had.
#[test]
fn what_a_provider_gets_is_told() {
    let mut golden = String::new();
    let stated = r#"{"listen": [{"address": "::1", "port": "$PORT"}, "*:80"], "connect": {"address": "$HOST", "port": 6379},
                    "dir": [{"name": "data", "access": "write"}, {"name": "more"}], "file": [{"name": "conf"}, {"name": "log"}],
                    "env": ["TZ", "MODE"], "secret": ["key", "token"], "network": true}"#;
    for (what, stated, grants) in [
        ("nothing stated, no grants", None, None),
        ("nothing stated, grants", None, Some(everything())),
        ("needs, no grants", Some(stated), None),
        ("needs and grants", Some(stated), Some(everything())),
        ("the HTTP server", Some(HTTP), None),
    ] {
        let allowance = Allowance::new(stated.map(needs).as_ref(), grants).expect("good");
        let _ = writeln!(golden, "{what}");
        let lines = [
            ("needs", allowance.needs_lines()),
            ("grants", allowance.grants_lines()),
            ("gets", Some(allowance.effective_lines())),
        ];
        for (section, lines) in lines {
            match lines {
                None => golden += &format!("  {section}: -\n"),
                Some(lines) => lines.iter().for_each(|line| {
                    golden += &format!("  {section}: {} {} [{}]\n", line.kind, line.what, line.why);
                }),
            }
        }
    }
    assert!(!golden.contains("s3cret"), "{golden}");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("authority", golden);
    });
}

#[test]
fn what_can_not_be_needed_or_granted_is_told() {
    let mut golden = String::new();
    for stated in [
        r#"{"listen": "localhost:80"}"#,
        r#"{"listen": "80"}"#,
        r#"{"listen": {"address": "0.0.0.0", "port": "$PORT"}}"#,
        r#"{"listen": {"address": "${BIND:0.0.0.0}", "port": "$PORT"}}"#,
        r#"{"listen": {"address": "${BIND:localhost}", "port": "$PORT"}}"#,
        r#"{"listen": {"address": "$BIND", "port": "${PORT:eighty}"}}"#,
        r#"{"listen": {"address": "$BIND", "port": "65536"}}"#,
        r#"{"listen": {"address": "x$BIND", "port": "80"}}"#,
        r#"{"listen": {"address": "${BIND", "port": "80"}}"#,
        r#"{"listen": {"address": "$1", "port": "80"}}"#,
        r#"{"listen": {"address": "", "port": "80"}}"#,
        r#"{"connect": {"address": "$__wasmcloud_name", "port": 80}}"#,
        r#"{"connect": {"address": "${HOST:127.0.0.1}", "port": 80}}"#,
        r#"{"connect": {"address": "127.0.0.1", "port": "$PORT"}}"#,
        r#"{"connect": "a*:80"}"#,
        r#"{"dir": {"name": "../etc"}}"#,
        r#"{"secret": ".key"}"#,
        r#"{"secret": "*"}"#,
        r#"{"file": {"name": "a*b"}}"#,
        r#"{"dir": {"name": "a*"}}"#,
        r#"{"env": "A=B"}"#,
    ] {
        let _ = writeln!(golden, "{stated}\n  {}", Allowance::new(Some(&needs(stated)), None).expect_err(stated));
    }
    let many = Needs { env: (0..65).map(|at| format!("A{at}")).collect(), ..Needs::default() };
    let _ = writeln!(golden, "65 variables\n  {}", Allowance::new(Some(&many), None).expect_err("too many"));
    type Change = fn(&mut Grants);
    let changes: [(&str, Option<&str>, Change); 9] = [
        ("listen on a name", None, |grants| grants.listen = vec!["a.b:80".parse().expect("an address")]),
        ("the provider's own directory", None, |grants| grants.dir[0].name = "state".to_owned()),
        ("a directory twice", None, |grants| grants.dir[0].name = "more".to_owned()),
        ("a file named like a secret", None, |grants| grants.file[0].name = "key".to_owned()),
        ("a variable twice", None, |grants| grants.env[0].name = "MODE".to_owned()),
        ("a bad name", None, |grants| grants.file[0].name = "a/b".to_owned()),
        ("a bad variable", None, |grants| grants.env[0].name = "A B".to_owned()),
        ("a directory nobody needs", Some(r#"{"dir": {"name": "data"}}"#), |_| {}),
        ("a network nobody needs", Some("{}"), |grants| {
            *grants = Grants { network: grants.network.clone(), ..Grants::default() }
        }),
    ];
    for (what, stated, change) in changes {
        let mut grants = everything();
        change(&mut grants);
        let error = Allowance::new(stated.map(needs).as_ref(), Some(grants)).expect_err(what);
        let _ = writeln!(golden, "{what}\n  {error}");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("refused", golden);
    });
}

proptest! {
    /// Whatever a link's values are, what they give is one address, and a grant of another takes it away.
    #[test]
    fn a_link_gives_at_most_one_address(bind in "\\PC{0,24}", port in "[0-9]{0,6}", asked in any::<(std::net::IpAddr, u16)>()) {
        let allowance = Allowance::new(Some(&needs(HTTP)), None).expect("good");
        let linked = links(&[&[("BIND", bind.as_str()), ("PORT", port.as_str())]]);
        let asked: Address = std::net::SocketAddr::from(asked).to_string().parse().expect("an address");
        let had = allowance.address(Act::Listen, &asked, linked.iter()).is_ok();
        let says_so = asked.port.to_string() == port.trim_start_matches('0') || bind.contains(&asked.port.to_string()) || asked.port == 0 || asked.port == 8080;
        prop_assert!(!had || says_so, "{} with BIND={:?} PORT={:?}", asked, bind, port);
        let narrowed = Allowance::new(Some(&needs(HTTP)), Some(Grants::default())).expect("good");
        prop_assert!(narrowed.address(Act::Listen, &asked, linked.iter()).is_err());
    }

    /// No text of a need panics, and none that is taken gives more than the operator's own words.
    #[test]
    fn no_need_panics(address in "\\PC{0,24}", port in "\\PC{0,12}") {
        let json = serde_json::json!({"listen": {"address": address, "port": port}, "connect": format!("{address}:{port}")});
        let stated: Needs = serde_json::from_value(json).expect("the right shape");
        if let Ok(allowance) = Allowance::new(Some(&stated), None) {
            let asked = "10.1.2.3:22".parse().expect("an address");
            prop_assert!(allowance.address(Act::Listen, &asked, [Values::new()].iter()).is_err());
            prop_assert!(allowance.address(Act::Connect, &asked, [Values::new()].iter()).is_err());
        }
    }
}
