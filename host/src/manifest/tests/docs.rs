//! The manifests in `docs/manifest.md`, which people copy.

use std::path::Path;

use super::super::{Format, HostManifest};

#[test]
fn the_manifests_in_the_docs_are_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifest.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "the page shows no manifest");
    let mut linked = 0;
    for block in blocks {
        let manifest = HostManifest::parse("docs/manifest.md", block, Format::Yaml, Path::new("/docs"), &|_| None);
        let manifest = manifest.unwrap_or_else(|error| panic!("{error}\n{block}"));
        assert!(manifest.links.iter().all(|link| link.values["PORT"] == "8080"), "{block}");
        linked += manifest.links.len();
    }
    assert_eq!(linked, 1, "the whole manifest links its HTTP server");
}
