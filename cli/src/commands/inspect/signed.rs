//! Modules and archives: their claims, and the outcome of every check on them.

use std::time::{Duration, UNIX_EPOCH};

use cofferdam_claims::{
    ActorMetadata, Check, Claims, ClaimsError, Inspection, Needs, ProviderArchive, ProviderMetadata, Trust,
};
use serde_json::{Map, Value, json};

use super::Found;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::table::{Cell, Sheet};

/// The last second of the year 9999; what lies beyond has no date.
const DATE_S_MAX: u64 = 253_402_300_799;

/// An actor's claims and the checks on them.
pub(crate) fn actor(file: &str, inspection: &Inspection<ActorMetadata>) -> Found {
    let claims = &inspection.claims;
    let metadata = claims.metadata.clone().unwrap_or_default();
    let caps = metadata.capabilities().to_vec();
    let tags = metadata.tags.unwrap_or_default();
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", "actor (signed WebAssembly module)");
    sheet.maybe("name", metadata.name.as_ref()).row("actor", &claims.subject).row("issuer", &claims.issuer);
    sheet.row("may call", listed(&caps)).maybe("revision", metadata.rev).maybe("version", metadata.ver.as_ref());
    sheet.maybe("call alias", metadata.call_alias.as_ref());
    if !tags.is_empty() {
        sheet.row("tags", listed(&tags));
    }
    sheet.row("hash", &metadata.module_hash);
    times(claims, &mut sheet);
    let (checks, valid) = checks(&inspection.checks, &mut sheet);
    let json = json!({
        "file": file, "type": "actor", "signed": true, "valid": valid,
        "subject": claims.subject, "issuer": claims.issuer, "name": metadata.name, "capabilities": caps, "tags": tags,
        "revision": metadata.rev, "version": metadata.ver, "call_alias": metadata.call_alias,
        "hash": metadata.module_hash, "issued_at": claims.issued_at, "not_before": claims.not_before,
        "expires": claims.expires, "checks": checks,
    });
    Found { json, sheet }
}

/// A provider's claims and the checks on them.
pub(crate) fn provider(file: &str, archive: &ProviderArchive, inspection: &Inspection<ProviderMetadata>) -> Found {
    let claims = &inspection.claims;
    let metadata = claims.metadata.clone().unwrap_or_default();
    let targets = archive.targets();
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", "provider archive").maybe("name", metadata.name.as_ref());
    sheet.row("provider", &claims.subject).row("issuer", &claims.issuer).row("contract", &metadata.capid);
    sheet.row("vendor", &metadata.vendor).maybe("revision", metadata.rev).maybe("version", metadata.ver.as_ref());
    sheet.row("targets", listed(&targets)).row("needs", needs(metadata.needs.as_ref()));
    times(claims, &mut sheet);
    let (checks, valid) = checks(&inspection.checks, &mut sheet);
    let hashes: Map<String, Value> = metadata.target_hashes.into_iter().map(|(t, hash)| (t, json!(hash))).collect();
    let json = json!({
        "file": file, "type": "provider_archive", "signed": true, "valid": valid,
        "subject": claims.subject, "issuer": claims.issuer, "name": metadata.name, "contract": metadata.capid,
        "vendor": metadata.vendor, "revision": metadata.rev, "version": metadata.ver, "targets": targets,
        "target_hashes": hashes, "needs": metadata.needs, "issued_at": claims.issued_at, "not_before": claims.not_before,
        "expires": claims.expires, "checks": checks,
    });
    Found { json, sheet }
}

/// A module without claims.
pub(super) fn unsigned(file: &str, hash: String) -> Found {
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", "WebAssembly module, not signed").row("hash", &hash);
    sheet.row("next", "sign it with `cofferdam claims sign`");
    Found { json: json!({"file": file, "type": "actor", "signed": false, "hash": hash}), sheet }
}

/// The result of `verify`, and a remark when nobody was trusted by name.
pub(crate) fn verified(file: &str, subject: &str, issuer: &str, trust: &Trust, output: &Output) -> Result<(), Failure> {
    let any = *trust == Trust::Any;
    let json = json!({"file": file, "valid": true, "subject": subject, "issuer": issuer, "any_issuer": any});
    output.result(&json, || {
        let mut sheet = Sheet::default();
        sheet.row("file", file).row("subject", subject).row("issuer", issuer);
        sheet.cell("verdict", Cell::styled("valid", Style::Good));
        sheet.render(output)
    })?;
    if any {
        output.note("note: any issuer was accepted; --trust ACCOUNT names those that you trust");
    }
    Ok(())
}

/// A time in claims, for people.
pub(super) fn date(seconds: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) {
        Some(time) if seconds <= DATE_S_MAX => humantime::format_rfc3339_seconds(time).to_string(),
        _ => format!("second {seconds} since 1970"),
    }
}

fn times<T>(claims: &Claims<T>, sheet: &mut Sheet) {
    sheet.row("issued", date(claims.issued_at)).maybe("valid from", claims.not_before.map(date));
    sheet.row("expires", claims.expires.map_or_else(|| "never".to_owned(), date));
}

fn checks(checks: &[(Check, Result<(), ClaimsError>)], sheet: &mut Sheet) -> (Vec<Value>, bool) {
    let valid = checks.iter().all(|(_, outcome)| outcome.is_ok());
    let verdict = if valid { Cell::styled("valid", Style::Good) } else { Cell::styled("not valid", Style::Bad) };
    sheet.cell("verdict", verdict);
    for (check, outcome) in checks {
        if let Err(error) = outcome {
            sheet.cell("failed", Cell::styled(format!("{check}: {}", error.fault()), Style::Bad));
        }
    }
    let line = |(check, outcome): &(Check, Result<(), ClaimsError>)| {
        let error = outcome.as_ref().err().map(|error| error.fault().to_string());
        json!({"check": check.as_str(), "ok": error.is_none(), "error": error})
    };
    (checks.iter().map(line).collect(), valid)
}

/// As they were signed; `cofferdam explain` says what follows from them.
fn needs(needs: Option<&Needs>) -> String {
    needs.map_or_else(|| "not stated".to_owned(), |needs| json!(needs).to_string())
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}
