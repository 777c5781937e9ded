//! Manifests on disk.

use std::fs;

use super::super::{HostManifest, MANIFEST_BYTES_MAX};
use super::environment;

#[test]
fn a_file_is_read_beside_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("manifest");
    fs::write(&path, "host: {state_dir: ../state}\nactors: [./a.wasm]\n").expect("written");
    fs::write(folder.path().join("a.wasm"), "").expect("written");
    let manifest = HostManifest::from_path(&path, &environment).expect("good");
    assert_eq!(manifest.base_dir, folder.path());
    assert_eq!(manifest.host.state_dir, Some(folder.path().join("../state")));
    let source = manifest.actors[0].source(&manifest.base_dir);
    assert_eq!(source, Ok(super::super::Source::File(folder.path().join("a.wasm"))));
}

#[test]
fn a_file_that_is_no_manifest_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let too_large = usize::try_from(MANIFEST_BYTES_MAX + 1).expect("fits");
    let cases: &[(&str, Option<Vec<u8>>, &str)] = &[
        ("missing.yaml", None, "unreadable: the manifest cannot be read: No such file or directory (os error 2)"),
        ("large.yaml", Some(vec![b'#'; too_large]), "too_large: the manifest is larger than 1048576 bytes"),
        ("latin.yaml", Some(b"labels:\n  \xc3\xa9 a: \xe9\n".to_vec()), "not_utf8:2:8: the manifest is not UTF-8"),
        (
            "/dev/zero",
            None,
            "unreadable: the manifest cannot be read: it is a pipe or a device, and only files are read",
        ),
        (".", None, "unreadable: the manifest cannot be read: Is a directory (os error 21)"),
    ];
    for (name, bytes, expected) in cases {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).expect("written");
        }
        let error = HostManifest::from_path(&path, &environment).expect_err(name);
        let said = error.to_string().replace(&path.display().to_string(), error.kind());
        assert_eq!(said, *expected);
    }
}
