//! The sections of a manifest: every key it may have, and what is allowed there.

use std::collections::BTreeMap;
use std::path::Path;

use super::cursor::{Cursor, Known};
use super::document::{Input, Node};
use super::fault::{Fault, shown};
use super::public_key::{self, KeyKind};
use super::{
    ActorEntry, ActorLimitsEntry, CapabilityEntry, HostManifest, HostSection, LinkEntry, ManifestError, grants,
    quantity, restart,
};
use crate::words::{CRASH_PAYLOAD_BYTES_MAX, ProviderKey, is_namespace};

const MANIFEST: Known =
    Known { keys: &["labels", "host", "actors", "capabilities", "links"], later: &[], may_grow: false };
const HOST: Known =
    Known { keys: &["namespace", "trust", "unmetered_issuers", "state_dir"], later: &[], may_grow: true };
const ACTOR: Known = Known { keys: &["image_ref", "limits"], later: &[], may_grow: false };
const ACTOR_LIMITS: Known = Known { keys: &["memory", "table_elements", "instances"], later: &[], may_grow: false };
const CAPABILITY: Known = Known {
    keys: &["image_ref", "link_name", "grants", "limits", "restart", "crash_reports"],
    later: &[],
    may_grow: false,
};
const CRASH_REPORTS: Known = Known { keys: &["payload_bytes"], later: &[], may_grow: false };
const LINK: Known =
    Known { keys: &["actor", "provider_id", "contract_id", "link_name", "values"], later: &[], may_grow: false };

/// One page of WebAssembly, and all that 32 bits can address.
const MEMORY_BYTES: (u64, u64) = (64 << 10, 4 << 30);
const TABLE_ELEMENTS_MAX: u32 = 10_000_000;
/// Each memory reserves 8 GiB of the 47 bits of address space.
const INSTANCES_MAX: u32 = 16_000;

const CAPABILITY_IS: &str = "a mapping of image_ref, link_name, grants, limits, restart and crash_reports";
const IMAGE_REF: &str = "a path or a registry reference";

pub(super) fn manifest(input: &Input<'_>, document: &Node, base_dir: &Path) -> Result<HostManifest, ManifestError> {
    let fields = Cursor::at_root(input, document)
        .fields(&MANIFEST, "a mapping of labels, host, actors, capabilities and links")?;
    Ok(HostManifest {
        labels: fields.get("labels").map(|labels| texts(labels, "a text")).transpose()?.unwrap_or_default(),
        host: fields.get("host").map(|section| host(section, base_dir)).transpose()?.unwrap_or_default(),
        actors: entries(fields.get("actors"), "actor", actor, |entry| entry.image_ref.clone())?,
        capabilities: entries(
            fields.get("capabilities"),
            "capability",
            |entry| capability(entry, base_dir),
            |entry| ProviderKey::new(entry.image_ref.as_str(), entry.link_name.as_deref()),
        )?,
        links: entries(fields.get("links"), "link", link, LinkEntry::key)?,
        base_dir: base_dir.to_owned(),
    })
}

/// Reads a list whose entries all differ in `identity`.
pub(super) fn entries<T, K: Ord>(
    section: Option<&Cursor<'_>>,
    what: &'static str,
    read: impl Fn(&Cursor<'_>) -> Result<T, ManifestError>,
    identity: impl Fn(&T) -> K,
) -> Result<Vec<T>, ManifestError> {
    let Some(section) = section else { return Ok(Vec::new()) };
    let mut seen = BTreeMap::new();
    let mut list = Vec::new();
    for cursor in section.list("a list")? {
        let entry = read(&cursor)?;
        if let Some(first) = seen.insert(identity(&entry), cursor.key_path().to_owned()) {
            return Err(cursor.refuse(Fault::DuplicateEntry { what, first }));
        }
        list.push(entry);
    }
    Ok(list)
}

fn host(section: &Cursor<'_>, base_dir: &Path) -> Result<HostSection, ManifestError> {
    let fields = section.fields(&HOST, "a mapping of namespace, trust, unmetered_issuers and state_dir")?;
    let state_dir = fields.get("state_dir").map(|dir| dir.filled("a path")).transpose()?;
    let issuers =
        |key| entries(fields.get(key), "issuer", |issuer| public_key(issuer, KeyKind::Account), String::clone);
    Ok(HostSection {
        namespace: fields.get("namespace").map(namespace).transpose()?,
        trust: issuers("trust")?,
        unmetered_issuers: issuers("unmetered_issuers")?,
        state_dir: state_dir.map(|dir| base_dir.join(dir)),
    })
}

fn namespace(cursor: &Cursor<'_>) -> Result<String, ManifestError> {
    let text = cursor.filled("a namespace")?;
    if !is_namespace(text) {
        return Err(cursor.refuse(Fault::NotANamespace { found: shown(text) }));
    }
    Ok(text.to_owned())
}

fn actor(cursor: &Cursor<'_>) -> Result<ActorEntry, ManifestError> {
    if cursor.is_text() {
        return Ok(ActorEntry { image_ref: cursor.filled(IMAGE_REF)?.to_owned(), limits: None });
    }
    let fields = cursor.fields(&ACTOR, "a path, a registry reference, or a mapping of image_ref and limits")?;
    Ok(ActorEntry {
        image_ref: fields.need("image_ref")?.filled(IMAGE_REF)?.to_owned(),
        limits: fields.get("limits").map(actor_limits).transpose()?,
    })
}

fn actor_limits(cursor: &Cursor<'_>) -> Result<ActorLimitsEntry, ManifestError> {
    let fields = cursor.fields(&ACTOR_LIMITS, "a mapping of memory, table_elements and instances")?;
    let count = |key, max| {
        let read = |value: &Cursor<'_>| {
            quantity::count(value.filled("a whole number")?, max).map_err(|fault| value.refuse(fault))
        };
        fields.get(key).map(read).transpose()
    };
    let memory = |value: &Cursor<'_>| {
        let (min, max) = MEMORY_BYTES;
        quantity::bytes(value.filled("a size")?, min, max).map_err(|fault| value.refuse(fault))
    };
    Ok(ActorLimitsEntry {
        memory_bytes_max: fields.get("memory").map(memory).transpose()?,
        table_elements_max: count("table_elements", TABLE_ELEMENTS_MAX)?,
        instances_max: count("instances", INSTANCES_MAX)?,
    })
}

fn capability(cursor: &Cursor<'_>, base_dir: &Path) -> Result<CapabilityEntry, ManifestError> {
    let fields = cursor.fields(&CAPABILITY, CAPABILITY_IS)?;
    Ok(CapabilityEntry {
        image_ref: fields.need("image_ref")?.filled(IMAGE_REF)?.to_owned(),
        link_name: fields.get("link_name").map(link_name).transpose()?.flatten(),
        grants: fields.get("grants").map(|section| grants::grants(section, base_dir)).transpose()?,
        limits: fields.get("limits").map(grants::limits).transpose()?.unwrap_or_default(),
        restart: fields.get("restart").map(restart::restart).transpose()?.unwrap_or_default(),
        crash_payload_bytes_max: fields.get("crash_reports").map(crash_payload_bytes).transpose()?.unwrap_or_default(),
    })
}

fn crash_payload_bytes(section: &Cursor<'_>) -> Result<u32, ManifestError> {
    let fields = section.fields(&CRASH_REPORTS, "a mapping of payload_bytes")?;
    let Some(value) = fields.get("payload_bytes") else { return Ok(0) };
    let bytes = quantity::bytes(value.filled("a size")?, 0, CRASH_PAYLOAD_BYTES_MAX.into());
    let bytes = bytes.map_err(|fault| value.refuse(fault))?;
    Ok(u32::try_from(bytes).expect("no more than the most, which is a u32"))
}

fn link(cursor: &Cursor<'_>) -> Result<LinkEntry, ManifestError> {
    let fields = cursor.fields(&LINK, "a mapping of actor, provider_id, contract_id, link_name and values")?;
    Ok(LinkEntry {
        actor: public_key(fields.need("actor")?, KeyKind::Actor)?,
        provider_id: public_key(fields.need("provider_id")?, KeyKind::Provider)?,
        contract_id: fields.need("contract_id")?.filled("a contract id")?.to_owned(),
        link_name: fields.get("link_name").map(link_name).transpose()?.flatten(),
        values: fields.get("values").map(|values| texts(values, "a text")).transpose()?.unwrap_or_default(),
    })
}

fn public_key(cursor: &Cursor<'_>, kind: KeyKind) -> Result<String, ManifestError> {
    let text = cursor.filled("a public key")?;
    public_key::check(text, kind).map_err(|fault| cursor.refuse(fault))?;
    Ok(text.to_owned())
}

/// A blank one means the default, as everywhere.
fn link_name(cursor: &Cursor<'_>) -> Result<Option<String>, ManifestError> {
    let text = cursor.text("a link name")?.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A mapping of names to texts, which may be empty.
fn texts(section: &Cursor<'_>, expected: &'static str) -> Result<BTreeMap<String, String>, ManifestError> {
    let mut texts = BTreeMap::new();
    for (name, value) in section.entries("a mapping of names to texts")? {
        texts.insert(name.to_owned(), value.text(expected)?.to_owned());
    }
    Ok(texts)
}
