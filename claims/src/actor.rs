//! Actors: a WebAssembly module with a token in a custom section.
//!
//! The hash in the token covers the module without that section, and is compared always, whatever revision of wascap
//! made the token (wascap itself skips it for old ones).

use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use nkeys::KeyPair;

use crate::error::{Bearer, ClaimsError, Fault, plain};
use crate::files::open_file;
use crate::keys::KeyKind;
use crate::metadata::{ActorMetadata, normalize_call_alias};
use crate::token::{self, Decoded, Inspection, Metadata, Scrutiny, Validity, Verified};
use crate::trust::Trust;
use crate::wasm::{self, Module};

/// A module larger than this is neither read from a file nor compiled.
pub const MODULE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What to put into an actor's claims when signing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActorClaims {
    /// The name for people.
    pub name: String,
    /// The contracts that the actor may call.
    pub caps: Vec<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// The revision.
    pub rev: Option<i32>,
    /// The version for people.
    pub ver: Option<String>,
    /// A name by which other actors can call it; normalized before it is written.
    pub call_alias: Option<String>,
    /// Whether the module is itself a provider.
    pub prov: bool,
    /// Until when the claims are valid; `None` is for ever.
    pub expires: Option<SystemTime>,
    /// From when on they are valid; `None` is at once.
    pub not_before: Option<SystemTime>,
    /// When they are made; `None` is now. The same claims at the same time give the same bytes.
    pub issued_at: Option<SystemTime>,
}

impl Metadata for ActorMetadata {
    const BEARER: Bearer = Bearer::Actor;
    const SUBJECT: KeyKind = KeyKind::Actor;
}

/// Checks a module: token, keys, signature, time, issuer, hash, in this order. `source` is the file's name for errors.
pub fn verify_actor(
    source: &str,
    wasm: &[u8],
    trust: &Trust,
    now: SystemTime,
) -> Result<Verified<ActorMetadata>, ClaimsError> {
    let (module, decoded) = decode(wasm).map_err(|fault| fault.on(source))?;
    decoded.verify(&Scrutiny { file: source, trust, now }, &|metadata, _| check_hash(&module, metadata))
}

/// Decodes a module's claims without believing them, and makes every check. Fails only when there is nothing to show.
pub fn inspect_actor(
    source: &str,
    wasm: &[u8],
    trust: &Trust,
    now: SystemTime,
) -> Result<Inspection<ActorMetadata>, ClaimsError> {
    let (module, decoded) = decode(wasm).map_err(|fault| fault.on(source))?;
    Ok(decoded.inspect(&Scrutiny { file: source, trust, now }, &|metadata, _| check_hash(&module, metadata)))
}

/// Signs a module: `issuer` (an account, with its seed) vouches that the module is the actor `module`. Replaces every
/// earlier token and returns the new module, whose token stands at its end in a section `jwt`.
pub fn sign_actor(
    source: &str,
    wasm: &[u8],
    request: ActorClaims,
    issuer: &KeyPair,
    module: &KeyPair,
) -> Result<Vec<u8>, ClaimsError> {
    sign(wasm, request, issuer, module).map_err(|fault| fault.on(source))
}

/// Upper-case hex SHA-256 of a module without its token, which is what its claims hold.
pub fn module_hash(source: &str, wasm: &[u8]) -> Result<String, ClaimsError> {
    Module::parse(wasm).map(|module| module.hash()).map_err(|fault| fault.on(source))
}

/// A module without its token, every section's length in its shortest form: what is left is code, and the same for all
/// who sign it. `None` for what has not the framing of a module; whoever compiles such bytes hears why from its engine.
pub fn module_code(wasm: &[u8]) -> Option<Vec<u8>> {
    Module::parse(wasm).ok().map(|module| module.without_token())
}

/// Reads a module from a file, up to [`MODULE_BYTES_MAX`]. Checks nothing else.
pub fn read_module(path: &Path) -> Result<Vec<u8>, ClaimsError> {
    read_bounded(path, MODULE_BYTES_MAX).map_err(|fault| fault.on(&path.display().to_string()))
}

fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let unreadable = |source| Fault::Unreadable { source };
    let mut bytes = Vec::new();
    let file = open_file(path).map_err(unreadable)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Fault::Oversized { what: "the file".to_owned(), bytes_max });
    }
    Ok(bytes)
}

fn decode(wasm: &[u8]) -> Result<(Module<'_>, Decoded<ActorMetadata>), Fault> {
    let module = Module::parse(wasm)?;
    let unsigned = Fault::Unsigned { bearer: Bearer::Actor, place: "custom section `jwt`" };
    let token = module.token()?.ok_or(unsigned)?;
    let decoded = Decoded::parse(token)?;
    Ok((module, decoded))
}

fn check_hash(module: &Module<'_>, metadata: &ActorMetadata) -> Result<(), Fault> {
    let found = module.hash();
    if found == metadata.module_hash {
        return Ok(());
    }
    let claimed = plain(&metadata.module_hash);
    Err(Fault::WrongHash { what: "the module".to_owned(), found, claimed })
}

fn sign(wasm: &[u8], request: ActorClaims, issuer: &KeyPair, subject: &KeyPair) -> Result<Vec<u8>, Fault> {
    let mut module = Module::parse(wasm)?.without_token();
    let metadata = ActorMetadata {
        name: Some(request.name),
        module_hash: wasm::sha256(&module),
        tags: Some(request.tags),
        caps: Some(request.caps),
        rev: request.rev,
        ver: request.ver,
        call_alias: request.call_alias.as_deref().map(normalize_call_alias),
        prov: request.prov,
    };
    let validity = Validity { not_before: request.not_before, expires: request.expires, issued_at: request.issued_at };
    let token = token::sign(metadata, &validity, issuer, subject)?;
    wasm::append_token(&mut module, &token.text);
    Ok(module)
}
