//! Who may, and over which connection.

use cofferdam_registry::{Credentials, Kind, Login, RegistryConfig, Wanted};
use cofferdam_tests::registry::{Access, PASSWORD, Registry, Speaks, USER, config};

use super::{module, pull, push, refused};

const ACTOR: Wanted = Wanted::Only(Kind::Actor);

#[tokio::test(flavor = "multi_thread")]
async fn only_who_knows_the_password_pulls_and_pushes() {
    let registry = Registry::start_as(Access::Password, Speaks::Http);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let reference = registry.reference("a/echo:1");
    let nobody = config(folder.path(), &[registry.address()]);
    let known = |password| Credentials::everywhere(Login::new(USER, password));
    let docker = folder.path().join("docker");
    std::fs::create_dir(&docker).expect("a folder");
    let entry =
        format!(r#"{{"auths": {{"{}": {{"username": "{USER}", "password": "{PASSWORD}"}}}}}}"#, registry.address());
    std::fs::write(docker.join("config.json"), entry).expect("a file");
    let variable = |name: &str| (name == "DOCKER_CONFIG").then(|| docker.clone().into_os_string());
    let from_docker = Credentials::from_environment(&variable).expect("good");
    let cases = [
        (Credentials::default(), "registry_unauthorized"),
        (known("wrong-3cret"), "registry_unauthorized"),
        (known(PASSWORD), ""),
        (from_docker, ""),
    ];
    for (credentials, expected) in cases {
        let config = RegistryConfig { credentials, ..nobody.clone() };
        for outcome in
            [refused(push(&config, &reference, &module()).await), refused(pull(&config, &reference, ACTOR).await)]
        {
            assert_eq!(outcome.0, expected, "{}", outcome.1);
            assert!(!outcome.1.contains("3cret") && !outcome.1.contains(USER), "{}", outcome.1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_known_authorities_are_accepted() {
    let registry = Registry::start_as(Access::Password, Speaks::Tls);
    let plain = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let credentials = Credentials::everywhere(Login::new(USER, PASSWORD));
    let strict = RegistryConfig { credentials, ..config(folder.path(), &[]) };
    let private = RegistryConfig { authorities: Some(registry.authority()), ..strict.clone() };
    let insecure = RegistryConfig { insecure: vec![registry.address().to_owned()], ..private.clone() };
    let (tls, http) = (registry.reference("a/echo:1"), plain.reference("a/echo:1"));
    push(&private, &tls, &module()).await.expect("its authority is known");
    pull(&private, &tls, ACTOR).await.expect("its authority is known");
    let cases = [
        (&strict, &tls, "registry_tls"),
        // Plain HTTP is spoken only to those on the list, and TLS is never tried with these.
        (&private, &http, "registry_tls"),
        (&insecure, &tls, "registry_status"),
    ];
    for (config, reference, expected) in cases {
        let (kind, text) = refused(push(config, reference, &module()).await);
        assert_eq!(kind, expected, "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}
