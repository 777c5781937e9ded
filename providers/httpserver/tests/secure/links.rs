//! What refuses a link with TLS, and certificates that are renewed.

use std::io::{Read, Write};

use cofferdam_testkit::abi::Level;

use crate::authority::Authority;
use crate::clients::{TLS, config, grant, secured, shake};
use crate::support::{ACTOR, connect, get, status_of};

/// Whatever is wrong is said without a word of what was found, and what was there goes on.
#[test]
fn what_can_not_be_used_refuses_the_link() {
    let authority = Authority::new();
    let (pair, other) = (authority.issue(), authority.issue());
    let (rig, address) = secured(&pair, &[]);
    let marked = |kind: &str, body: &str| format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n");
    let secret = "c2VjcmV0IGludGVybmFscw==";
    let none: Option<String> = None;
    let (cert, key) = (|| Some(pair.cert.clone()), || Some(pair.key.clone()));
    let cases = [
        (none.clone(), key(), "what the link value TLS_CERT names could not be opened: no file is granted"),
        (cert(), none.clone(), "what the link value TLS_KEY names could not be opened: no file is granted"),
        (Some(secret.into()), key(), "what the link value TLS_CERT names is not PEM"),
        (Some(String::new()), key(), "what the link value TLS_CERT names is not PEM"),
        (Some(pair.cert[..200].into()), key(), "what the link value TLS_CERT names is not PEM"),
        (key(), key(), "what the link value TLS_CERT names is PEM without a certificate"),
        (
            Some(marked("CERTIFICATE", secret)),
            key(),
            "the certificate that the link value TLS_CERT names can't be read",
        ),
        (Some("x".repeat((1 << 20) + 1)), key(), "what the link value TLS_CERT names is longer than 1048576 bytes"),
        (cert(), Some(secret.into()), "what the link value TLS_KEY names is not PEM"),
        (cert(), Some(pair.key[..100].into()), "what the link value TLS_KEY names is not PEM"),
        (cert(), Some(marked("PRIVATE KEY", "!!secret internals!!")), "what the link value TLS_KEY names is not PEM"),
        (cert(), Some(format!("-----BEGIN {secret}\n")), "what the link value TLS_KEY names is not PEM"),
        (cert(), cert(), "what the link value TLS_KEY names is PEM without a private key"),
        (
            cert(),
            Some(marked("ENCRYPTED PRIVATE KEY", secret)),
            "what the link value TLS_KEY names is PEM without a private",
        ),
        (cert(), Some(marked("PRIVATE KEY", secret)), "the key that the link value TLS_KEY names can't be used"),
        (cert(), Some(other.key.clone()), "the key that the link value TLS_KEY names does not belong to the first"),
    ];
    for (cert, key, words) in cases {
        for (name, contents) in [("tls-cert", &cert), ("tls-key", &key)] {
            match contents {
                Some(contents) => rig.grant_file(name, contents.as_bytes()),
                None => rig.take_file(name),
            }
        }
        let refused = rig.bind(ACTOR, &[&TLS[..], &[("PORT", "0")]].concat()).unwrap_err().words;
        assert!(refused.starts_with(words), "{refused}, not {words}");
        let told = format!("{refused}{:?}", rig.log());
        let found = [cert, key].into_iter().flatten();
        let lines = found.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        let mut quoted = lines.filter(|line| line.len() > 3 && told.contains(&line[..line.len().min(20)]));
        assert_eq!(quoted.next(), None, "{told}");
        assert!(shake(address, config(&authority, &[])).is_ok(), "after {words}");
    }
    let missing =
        rig.bind(ACTOR, &[("PORT", "0"), ("TLS_CERT", "tls-none"), ("TLS_KEY", "tls-key")]).unwrap_err().words;
    assert!(missing.contains("grants: {secret: [{name: NAME, from: {file: PATH}}]}"), "{missing}");
}

#[test]
fn wrong_values_are_refused() {
    let pair = Authority::new().issue();
    let name = "is no name of a grant, and not repeated here, for it may be a secret: a name is of 1 to 64 letters, digits, \
                `.`, `_` and `-`";
    let pem = "holds PEM itself, which is not repeated here: keys and certificates come by grants, and the link value is the \
               name of one; a key that was in a link is to be replaced";
    let half = "is not: TLS takes both, the name of a grant each";
    let path = "the link value TLS_KEY is";
    let cases: [(&[(&str, &str)], String); 10] = [
        (&[("TLS_CERT", "tls-cert")], format!("the link value TLS_CERT is set and TLS_KEY {half}")),
        (&[("TLS_KEY", "tls-key")], format!("the link value TLS_KEY is set and TLS_CERT {half}")),
        (&[("TLS_CERT", "tls-cert"), ("TLS_KEY", &pair.key)], format!("the link value TLS_KEY {pem}")),
        (&[("TLS_CERT", &pair.cert), ("TLS_KEY", "tls-key")], format!("the link value TLS_CERT {pem}")),
        (&[("TLS_KEY", &pair.key)], format!("the link value TLS_KEY {pem}")),
        (&[("TLS_CERT", "tls-cert"), ("TLS_KEY", "/run/key.pem")], format!("{path}{}", &name[2..])),
        (&[("TLS_CERT", ""), ("TLS_KEY", "tls-key")], format!("the link value TLS_CERT {name}")),
        (&[("H2C", "yes")], "the link value H2C is \"yes\": it is true or false".into()),
        (
            &[("H2C", "true"), ("TLS_CERT", "tls-cert"), ("TLS_KEY", "tls-key")],
            "the link value H2C is for links without TLS, which agree on HTTP/2 by themselves: leave it out".into(),
        ),
        (
            &[("TLS_HANDSHAKES_MAX", "0")],
            "the link value TLS_HANDSHAKES_MAX is \"0\": it is a number from 1 to 65536".into(),
        ),
    ];
    let (rig, _) = secured(&pair, &[]);
    for (values, words) in cases {
        assert_eq!(rig.bind("MOTHER", &[values, &[("PORT", "0")]].concat()).unwrap_err().words, words);
    }
}

/// What is read when the link is set again holds for connections to come; what is there goes on.
#[test]
fn certificates_are_renewed() {
    let (before, after) = (Authority::new(), Authority::new());
    let (rig, address) = secured(&before.issue(), &[]);
    let mut kept = shake(address, config(&before, &[])).unwrap();
    grant(&rig, &after.issue());
    // Not before it is told.
    assert!(shake(address, config(&before, &[])).is_ok() && shake(address, config(&after, &[])).is_err());
    rig.bind(ACTOR, &[&TLS[..], &[("PORT", "0")]].concat()).unwrap();
    assert_eq!(rig.listening().len(), 1);
    assert!(shake(address, config(&before, &[])).is_err() && shake(address, config(&after, &[])).is_ok());
    kept.write_all(&get("/status/200")).unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).unwrap();
    assert_eq!(status_of(&answer), 200);
    // To no TLS, and back.
    rig.bind(ACTOR, &[("PORT", "0")]).unwrap();
    let mut plain = connect(address);
    plain.write_all(&get("/status/200")).unwrap();
    assert_eq!(status_of(&crate::support::read_to_end(&mut plain)), 200);
    rig.bind(ACTOR, &[&TLS[..], &[("PORT", "0")]].concat()).unwrap();
    assert!(shake(address, config(&after, &[])).is_ok());
}

#[test]
fn a_certificate_that_has_expired_is_served_with_a_warning() {
    let authority = Authority::new();
    let (rig, address) = secured(&authority.issue_until(2020), &[]);
    let warned: Vec<_> = rig.log().into_iter().filter(|line| line.level == Level::WARN).map(|line| line.text).collect();
    let words = "the certificate that the link's TLS_CERT names has expired, so clients refuse it; renew it, and set the \
                 link again";
    assert_eq!(warned, [words]);
    let refused = shake(address, config(&authority, &[])).err().unwrap().to_string();
    assert!(refused.to_lowercase().contains("expired"), "{refused}");
}
