//! Manifests: what they would run. The values of links may be secrets: they are counted, not shown.

use std::path::Path;

use cofferdam_host::manifest::{Format, HostManifest};
use serde_json::{Value, json};

use super::{Found, unknown};
use crate::failure::Failure;
use crate::table::Sheet;

/// Reads the text as a manifest. A file that is not named like one and does not read like one is unknown.
pub(super) fn look(path: &Path, text: &str) -> Result<Found, Failure> {
    let file = path.display().to_string();
    let named_so = path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
    let folder = path.parent().unwrap_or(Path::new(""));
    // Variables stay as they are: what they hold here is not what they hold where the host runs.
    match HostManifest::parse(&file, text, Format::of(path), folder, &|_| None) {
        Ok(manifest) if named_so || manifest != empty(&manifest) => Ok(found(&file, &manifest)),
        Err(error) if named_so => Err(error.into()),
        _ => Err(unknown(&file, "it is text of no kind that is used here")),
    }
}

fn empty(like: &HostManifest) -> HostManifest {
    HostManifest { base_dir: like.base_dir.clone(), ..HostManifest::default() }
}

fn found(file: &str, manifest: &HostManifest) -> Found {
    let actors: Vec<&str> = manifest.actors.iter().map(|actor| actor.image_ref.as_str()).collect();
    let link_name = |name: &Option<String>| name.clone().unwrap_or_else(|| "default".to_owned());
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", "manifest").maybe("namespace", manifest.host.namespace.as_ref());
    for account in &manifest.host.trust {
        sheet.row("trusts", account);
    }
    for account in &manifest.host.unmetered_issuers {
        sheet.row("unmetered", account);
    }
    for actor in &actors {
        sheet.row("actor", actor);
    }
    for provider in &manifest.capabilities {
        sheet.row("provider", format!("{} (link {})", provider.image_ref, link_name(&provider.link_name)));
    }
    for link in &manifest.links {
        let (name, values) = (link_name(&link.link_name), link.values.len());
        let what =
            format!("{} -> {} ({}, link {name}, {values} values)", link.actor, link.provider_id, link.contract_id);
        sheet.row("link", what);
    }
    let providers: Vec<Value> = manifest
        .capabilities
        .iter()
        .map(|p| json!({"image_ref": p.image_ref, "link": link_name(&p.link_name)}))
        .collect();
    let links: Vec<Value> = manifest
        .links
        .iter()
        .map(|link| {
            json!({
                "actor": link.actor, "provider": link.provider_id, "contract": link.contract_id,
                "link": link_name(&link.link_name), "value_names": link.values.keys().collect::<Vec<_>>(),
            })
        })
        .collect();
    let json = json!({
        "file": file, "type": "manifest", "namespace": manifest.host.namespace, "trust": manifest.host.trust,
        "unmetered_issuers": manifest.host.unmetered_issuers,
        "actors": actors, "providers": providers, "links": links,
    });
    Found { json, sheet }
}
