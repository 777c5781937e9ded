//! `docs/specification.md` names tests that exist.

use std::fs;

use cofferdam_tests::artifacts;

#[test]
fn every_test_that_is_named_exists() {
    let page = fs::read_to_string(artifacts::root().join("docs/specification.md")).expect("the page is there");
    let quoted = page.split('`').skip(1).step_by(2).filter(|name| name.contains(".rs"));
    let mut named = 0;
    for name in quoted.filter(|name| !name.contains("FILE")) {
        let (file, test) = name.split_once("::").unwrap_or((name, ""));
        let text = fs::read_to_string(artifacts::root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {test}")), "{file} has no test {test}");
        named += 1;
    }
    assert!(named > 30, "the page names {named} tests");
}
