//! The demo's manifest, which is also the example that people copy.

use std::path::Path;

use super::super::HostManifest;
use super::{ACTOR, ISSUER, PROVIDER};

const ECHO: &str = "MAC3WH4Z46SWOKK6CQJE2YDCSNVH5SP6ZLVYOZDXTNEFBBHI3Q5SIP2V";

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "DEMO_KVCOUNTER" => ACTOR,
        "DEMO_ECHO" => ECHO,
        "DEMO_HTTPSERVER" | "DEMO_KEYVALUE" => PROVIDER,
        "DEMO_ISSUER" => ISSUER,
        _ => return None,
    };
    Some(value.to_owned())
}

#[test]
fn the_manifest_of_the_demo_is_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/manifest.yaml");
    let manifest = HostManifest::from_path(&path, &environment).expect("good");
    assert_eq!((manifest.actors.len(), manifest.capabilities.len(), manifest.links.len()), (2, 3, 3));
    assert_eq!(manifest.links[0].values["PORT"], "8080");
    let unset = HostManifest::from_path(&path, &|_| None).expect_err("keys are missing");
    assert_eq!((unset.kind(), unset.next_step()), ("not_a_key", "set the variable to the public key"));
}
