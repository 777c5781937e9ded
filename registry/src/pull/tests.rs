//! Which layer of a manifest is taken, as data.

use serde_json::{Value, json};

use super::*;
use crate::media::{ARCHIVE_LAYER, GENERIC_LAYER, MODULE_LAYER};

const BYTES_MAX: u64 = 10;

fn one(media_type: &str, size: i64) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(b"x").to_string(), "size": size })
}

fn chosen(layers: &[Value], wanted: Wanted) -> Result<u64, String> {
    let config = one("application/json", 2);
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string();
    layer(manifest.as_bytes(), wanted, BYTES_MAX).map(|blob| blob.bytes).map_err(|fault| fault.to_string())
}

#[test]
fn the_one_layer_that_fits_is_taken() {
    let (actor, provider) = (Wanted::Only(Kind::Actor), Wanted::Only(Kind::Provider));
    let (module, archive, generic) = (one(MODULE_LAYER, 1), one(ARCHIVE_LAYER, 2), one(GENERIC_LAYER, 3));
    let other = one("text/html", 4);
    let bad_digest = json!({ "mediaType": MODULE_LAYER, "digest": "sha512:../../x", "size": 1 });
    let cases: [(&[&Value], Wanted, Result<u64, &str>); 12] = [
        (&[&module], actor, Ok(1)),
        (&[&archive], provider, Ok(2)),
        (&[&generic], actor, Ok(3)),
        (&[&generic], Wanted::Any, Ok(3)),
        (&[&other, &module], actor, Ok(1)),
        (&[&module], provider, Err("other types: application/vnd.module.wasm")),
        (&[&module, &archive], Wanted::Any, Err("several layers")),
        (&[], actor, Err("other types")),
        (&[&one(MODULE_LAYER, 11)], actor, Err("has 11 bytes, more than the limit of 10")),
        (&[&one(MODULE_LAYER, 0)], actor, Err("empty")),
        (&[&one(MODULE_LAYER, -1)], actor, Err("empty")),
        (&[&bad_digest], actor, Err("is not `sha256:`")),
    ];
    for (layers, wanted, expected) in cases {
        let layers: Vec<Value> = layers.iter().map(|layer| (*layer).clone()).collect();
        match (chosen(&layers, wanted), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{layers:?}: {found:?}, not {expected:?}"),
        }
    }
    assert_eq!(chosen(&[one(MODULE_LAYER, 10)], actor), Ok(10));
    let index = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
    assert!(layer(index.as_bytes(), actor, BYTES_MAX).expect_err("an index").to_string().contains("an index"));
}
