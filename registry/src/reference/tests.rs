//! Good references, bad ones, and properties of all.

use proptest::prelude::*;

use super::*;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn good_references_have_their_parts() {
    let digest = format!("sha256:{HEX}");
    let of_digest = Version::Digest(digest.parse().expect("a digest"));
    let tag = |text: &str| Version::Tag(text.to_owned());
    let cases = [
        ("r.example/echo:0.2.0".to_owned(), "r.example", "echo", tag("0.2.0")),
        ("localhost/echo".to_owned(), "localhost", "echo", Version::Untagged),
        ("localhost:5000/a/b_c/d__e/f--g.h:_x".to_owned(), "localhost:5000", "a/b_c/d__e/f--g.h", tag("_x")),
        ("127.0.0.1:5000/echo:1".to_owned(), "127.0.0.1:5000", "echo", tag("1")),
        ("[::1]:5000/echo:1".to_owned(), "[::1]:5000", "echo", tag("1")),
        ("[::1]/echo:1".to_owned(), "[::1]", "echo", tag("1")),
        (format!("r.example/echo@{digest}"), "r.example", "echo", of_digest.clone()),
        (format!("r.example/echo:1@{digest}"), "r.example", "echo", of_digest),
        (format!("r.example/echo:{}", "t".repeat(128)), "r.example", "echo", tag(&"t".repeat(128))),
    ];
    for (text, registry, repository, version) in cases {
        let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((reference.registry(), reference.repository()), (registry, repository), "{text}");
        assert_eq!((reference.version(), reference.to_string()), (&version, text));
    }
}

#[test]
fn bad_references_say_what_is_wrong() {
    let long = format!("r.example/{}:1", "a".repeat(246));
    let too_long = "a".repeat(1025);
    let tag = format!("r.example/a:{}", "t".repeat(129));
    let cases = [
        ("", "names no registry"),
        ("echo:1", "names no registry"),
        ("folder/echo:1", "a registry's name has a dot or a port"),
        ("https://r.example/echo:1", "begins with a scheme"),
        ("-r.example/echo", "first part is no name"),
        ("r..example/echo", "first part is no name"),
        ("user@r.example/echo", "first part is no name"),
        ("r.example:0/echo", "port"),
        ("r.example:65536/echo", "port"),
        ("r.example:+80/echo", "port"),
        ("r.example:/echo", "port"),
        ("[::g]:5000/echo", "IPv6"),
        ("r.example/", "repository"),
        ("r.example/Echo:1", "repository"),
        ("r.example/a//b", "repository"),
        ("r.example/../b", "repository"),
        ("r.example/a._b", "repository"),
        ("r.example/a___b", "repository"),
        ("r.example/a-", "repository"),
        ("r.example/a:", "tag"),
        ("r.example/a:.b", "tag"),
        ("r.example/a:b/c", "tag"),
        (&*tag, "tag"),
        ("r.example/a@sha256:12", "digest"),
        ("r.example/a@md5:0123", "digest"),
        (&*long, "more than 255"),
        (&*too_long, "too long"),
    ];
    for (text, why) in cases {
        let error = text.parse::<Reference>().expect_err(text);
        assert!(error.why.contains(why), "{text}: {}", error.why);
        assert!(error.text.len() <= 200, "{text}");
    }
}

#[test]
fn latest_is_that_tag_or_none() {
    let digest = format!("r.example/a@sha256:{HEX}");
    for (text, latest) in
        [("r.example/a", true), ("r.example/a:latest", true), ("r.example/a:1", false), (&digest, false)]
    {
        assert_eq!(text.parse::<Reference>().expect("good").is_latest(), latest, "{text}");
    }
    // A tag beside a digest means nothing, so `latest` is harmless there.
    let both = format!("r.example/a:latest@sha256:{HEX}");
    assert!(!both.parse::<Reference>().expect("good").is_latest());
}

proptest! {
    /// No text makes it panic, and what it takes it gives back, part by part.
    #[test]
    fn what_is_taken_is_given_back(text in r"(\PC{0,40}|[a-z0-9.:\[\]@/_-]{0,60})") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string(), text.clone());
            let start = format!("{}/{}", reference.registry(), reference.repository());
            prop_assert!(text.starts_with(&start));
            prop_assert!(!reference.repository().split('/').any(|part| part.starts_with('.') || part.is_empty()));
        }
    }

    /// Whatever the grammar makes is taken.
    #[test]
    fn what_the_grammar_makes_is_taken(
        registry in r"([a-z0-9]{1,8}\.){1,3}[a-z]{2,5}(:[1-9][0-9]{0,3})?",
        repository in r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,6}){0,3}",
        tag in r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
    ) {
        let text = format!("{registry}/{repository}:{tag}");
        let reference = text.parse::<Reference>();
        prop_assert!(reference.is_ok(), "{:?}", reference);
        let reference = reference.expect("checked");
        prop_assert_eq!(reference.version(), &Version::Tag(tag));
        let at = reference.at(Digest::of(b"x"));
        prop_assert_eq!(at.to_string().parse::<Reference>(), Ok(at));
    }
}
