//! Manifests, read as YAML and as JSON, with variables that hold what an operator never meant; and the
//! addresses that it grants and providers ask for.
//!
//! The manifest imports nothing of the host but `words`, so the two are compiled here by their paths, as they stand, without
//! the WebAssembly compiler that the rest of the host needs.
#![no_main]

#[path = "../../host/src/manifest/mod.rs"]
#[allow(dead_code, unused_imports, unfulfilled_lint_expectations)]
mod manifest;
#[path = "../../host/src/words/mod.rs"]
#[allow(dead_code, unused_imports, unfulfilled_lint_expectations)]
mod words;

use std::path::Path;

use cofferdam_fuzz::errors;
use libfuzzer_sys::fuzz_target;
use manifest::{Format, HostManifest};
use words::{Address, AddressPattern, Cover};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    address(&text);
    let lines = text.split(['\n', '\r']).count() as u64;
    for format in [Format::Yaml, Format::Json] {
        match HostManifest::parse("fuzz", &text, format, Path::new("/manifests"), &environment) {
            Ok(manifest) => {
                let again = HostManifest::parse("fuzz", &text, format, Path::new("/manifests"), &environment);
                assert_eq!(again.ok(), Some(manifest), "the same text is another manifest");
            }
            Err(error) => {
                errors::check(&error.to_string(), error.next_step());
                assert!(!error.kind().is_empty());
                if let Some(position) = error.position() {
                    // YAML counts further line ends than these two.
                    let lines = lines + text.matches(['\u{85}', '\u{2028}', '\u{2029}']).count() as u64;
                    assert!((1..=lines).contains(&position.line), "{error}: there are {lines} lines");
                }
            }
        }
    }
});

/// An address has one normal form, which is granted by nothing less than itself.
fn address(text: &str) {
    if let Ok(pattern) = text.parse::<AddressPattern>() {
        assert_eq!(pattern.to_string().parse(), Ok(pattern));
    }
    if let Ok(address) = text.parse::<Address>() {
        let normal = address.to_string();
        assert_eq!(normal.parse().as_ref(), Ok(&address));
        assert_eq!(address.socket().map_or(normal.clone(), |socket| socket.to_string()), normal);
        let itself: AddressPattern = normal.parse().expect("an address is a pattern of itself");
        assert_eq!(itself.covers(&address), Some(Cover::Host));
        let other = Address { port: !address.port, ..address };
        assert_eq!(itself.covers(&other), None, "another port was granted");
    }
}

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "PORT" => "9090",
        "EMPTY" => "",
        "ACTOR" => "MC55H6NHSW63LK2XMMF54BVLQYRNETXE5POCIR3U5MKILGUCGAFMCRY2",
        "PROVIDER" => "VB33BSG4GTDWDY37JIFX3SVZH3MLRTQ7NDW3BY3RPYM4YM5UYEL66NJY",
        "ISSUER" => "AA5WXU6O3JGOB5MR5HLE7VKSRJLPWQJABBXC7FYO7O74YLTYTEPDOJCT",
        "EVIL" => "x, ADMIN: true}\n# \"'\u{1b}[2J\u{202e}\0",
        "NESTED" => "${PORT}",
        "LONG" => return Some("x".repeat(1 << 16)),
        _ => return None,
    };
    Some(value.to_owned())
}
