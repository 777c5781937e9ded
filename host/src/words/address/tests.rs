//! Texts and what they are as addresses, or why not.

use std::net::IpAddr;

use proptest::prelude::*;

use super::{Address, AddressPattern, Cover, needs_its_own_grant};

#[test]
fn every_address_has_one_form() {
    let cases = [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:08080", "127.0.0.1:8080"),
        ("[::1]:80", "[::1]:80"),
        ("[0:0::0:1]:80", "[::1]:80"),
        ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
        ("[::FFFF:7f00:1]:80", "127.0.0.1:80"),
        ("Redis.Example.:6379", "redis.example:6379"),
        ("localhost:1", "localhost:1"),
        ("a_b.c-d:65535", "a_b.c-d:65535"),
        ("127.0.0.1", "it has no port"),
        ("[::1]", "it has no port"),
        ("", "it has no port"),
        ("a:", "its port is"),
        ("a:65536", "its port is"),
        ("a:+80", "its port is"),
        ("a:-1", "its port is"),
        ("::1:80", "an IPv6 address"),
        ("[::1:80", "an IPv6 address"),
        ("[fe80::1%eth0]:80", "an IPv6 address"),
        ("[127.0.0.1]:80", "an IPv6 address"),
        (":80", "its host is neither"),
        ("a..b:80", "its host is neither"),
        (".:80", "its host is neither"),
        ("a b:80", "its host is neither"),
        ("héllo:80", "its host is neither"),
        ("a/b:80", "its host is neither"),
        ("user@host:80", "its host is neither"),
        ("127.1:80", "its host ends in a number"),
        ("0x7f.1:80", "its host ends in a number"),
        ("2130706433:80", "its host ends in a number"),
        ("0177.0.0.1:80", "its host ends in a number"),
        ("127.0.0.1.:80", "its host ends in a number"),
        ("1.2.3.4.5:80", "its host ends in a number"),
        ("*:80", "a wildcard"),
        ("a:*", "a wildcard"),
    ];
    for (text, expected) in cases {
        let shown = text.parse::<Address>().map_or_else(|error| error.to_string(), |address| address.to_string());
        assert!(shown.starts_with(expected), "{text:?} is {shown:?}, not {expected:?}");
    }
}

#[test]
fn patterns_cover_what_they_say() {
    let (by_host, by_wildcard) = (Some(Cover::Host), Some(Cover::Wildcard));
    let cases = [
        ("127.0.0.1:80", "127.0.0.1:80", by_host),
        ("127.0.0.1:80", "[::ffff:127.0.0.1]:80", by_host),
        ("127.0.0.1:80", "127.0.0.1:81", None),
        ("127.0.0.1:80", "localhost:80", None),
        ("0.0.0.0:80", "127.0.0.1:80", None),
        ("[::]:80", "0.0.0.0:80", None),
        ("127.0.0.1:0", "127.0.0.1:80", None),
        ("127.0.0.1:*", "127.0.0.1:80", by_host),
        ("127.0.0.1:*", "127.0.0.2:80", None),
        ("*:443", "example.com:443", by_wildcard),
        ("*:443", "10.0.0.1:443", by_wildcard),
        ("*:443", "example.com:80", None),
        ("*:*", "[::1]:1", by_wildcard),
        ("*.example.com:443", "a.example.com:443", by_wildcard),
        ("*.example.com:443", "a.b.EXAMPLE.com.:443", by_wildcard),
        ("*.example.com:443", "example.com:443", None),
        ("*.example.com:443", "badexample.com:443", None),
        ("*.example.com:443", "10.0.0.1:443", None),
        ("Example.com:443", "example.COM:443", by_host),
    ];
    for (pattern, asked, expected) in cases {
        let pattern: AddressPattern = pattern.parse().expect(pattern);
        assert_eq!(pattern.covers(&asked.parse().expect(asked)), expected, "{pattern} and {asked}");
    }
    for bad in ["a*:80", "*a:80", "*.*.a:80", "a.*:80", "a:8*", "*.1:80", "**:80", "*.:80", "*"] {
        assert!(bad.parse::<AddressPattern>().is_err(), "{bad}");
    }
}

#[test]
fn a_wildcard_does_not_lead_back_to_this_machine() {
    let cases = [
        ("127.0.0.1", true),
        ("0.0.0.0", true),
        ("0.1.2.3", true),
        ("169.254.169.254", true),
        ("224.0.0.1", true),
        ("255.255.255.255", true),
        ("::", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("fe80::1", true),
        ("ff02::1", true),
        ("10.0.0.1", false),
        ("93.184.216.34", false),
        ("2606:2800:220:1::1", false),
    ];
    for (ip, expected) in cases {
        assert_eq!(needs_its_own_grant(ip.parse::<IpAddr>().expect(ip)), expected, "{ip}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_every_address_reads_back(text in "\\PC*") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address.clone()));
            prop_assert_eq!(address.to_string().parse::<AddressPattern>().expect("exact").covers(&address), Some(Cover::Host));
        }
        if let Ok(pattern) = text.parse::<AddressPattern>() {
            prop_assert_eq!(pattern.to_string().parse::<AddressPattern>(), Ok(pattern));
        }
    }

    #[test]
    fn what_looks_like_an_address_reads_back(text in "(\\[[0-9a-f:.]{0,20}\\]|[a-z0-9.*-]{0,20}):[0-9*]{0,6}") {
        if let Ok(pattern) = text.parse::<AddressPattern>() {
            prop_assert_eq!(pattern.to_string().parse::<AddressPattern>(), Ok(pattern));
        }
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
    }

    #[test]
    fn every_number_is_itself(ip in any::<IpAddr>(), port in any::<u16>()) {
        let text = match ip { IpAddr::V4(ip) => format!("{ip}:{port}"), IpAddr::V6(ip) => format!("[{ip}]:{port}") };
        let address: Address = text.parse().expect("an address");
        prop_assert_eq!(address.socket().expect("a number").ip(), ip.to_canonical());
    }
}
