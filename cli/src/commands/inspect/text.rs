//! Files of one line: seeds, public keys and bare tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cofferdam_claims::{KeyKind, KeyPair, TOKEN_BYTES_MAX, from_seed};
use serde_json::{Value, json};

use super::Found;
use super::signed::date;
use crate::output::Style;
use crate::table::{Cell, Sheet};

/// What the text is, if it is one of these.
pub(super) fn look(file: &str, text: &str) -> Option<Found> {
    let text = text.trim();
    seed(file, text).or_else(|| public_key(file, text)).or_else(|| token(file, text))
}

/// A seed is told by its public key; the secret itself stays where it is.
fn seed(file: &str, text: &str) -> Option<Found> {
    let (kind, pair) = KeyKind::ALL.into_iter().find_map(|kind| Some((kind, from_seed(kind, text).ok()?)))?;
    let public_key = pair.public_key();
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", format!("seed of {kind} key (a secret, not shown)"));
    sheet.row("public key", &public_key);
    Some(Found {
        json: json!({"file": file, "type": "seed", "kind": kind.to_string(), "public_key": public_key}),
        sheet,
    })
}

fn public_key(file: &str, text: &str) -> Option<Found> {
    let kind = KeyKind::of(text).ok()??;
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", format!("public key of {kind}")).row("public key", text);
    let json = json!({"file": file, "type": "public_key", "kind": kind.to_string(), "public_key": text});
    Some(Found { json, sheet })
}

/// A token by itself: its words and whether its issuer signed them. What it was signed for is not here to be hashed.
fn token(file: &str, text: &str) -> Option<Found> {
    if text.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let part = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (header, claims) = (part(header)?, part(claims)?);
    let word = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    let (issuer, subject) = (word("iss")?, word("sub")?);
    let valid = URL_SAFE_NO_PAD
        .decode(signature)
        .ok()
        .and_then(|signature| KeyPair::from_public_key(&issuer).ok()?.verify(signed.as_bytes(), &signature).ok());
    let of = KeyKind::of(&subject).ok().flatten().map_or("unknown subject".to_owned(), |kind| kind.to_string());
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", format!("token of {of}"));
    sheet.maybe("name", claims.pointer("/wascap/name").and_then(Value::as_str));
    sheet.row("subject", &subject).row("issuer", &issuer);
    sheet.maybe("issued", time("iat").map(date)).maybe("valid from", time("nbf").map(date));
    sheet.row("expires", time("exp").map_or_else(|| "never".to_owned(), date));
    sheet.cell(
        "signature",
        match valid {
            Some(()) => Cell::styled("valid", Style::Good),
            None => Cell::styled("not valid", Style::Bad),
        },
    );
    let json = json!({
        "file": file, "type": "token", "of": of, "subject": subject, "issuer": issuer,
        "signature_valid": valid.is_some(), "header": header, "claims": claims,
    });
    Some(Found { json, sheet })
}
