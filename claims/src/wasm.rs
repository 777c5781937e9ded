//! The framing of a WebAssembly module: which bytes are the token, and which are the rest that its hash covers.
//!
//! Only sections are read (id, length, and the name of a custom one), strictly and with every length checked against
//! what is there. The inside of a section is the engine's to judge. A component is refused, because it may nest modules
//! that have sections of their own, and two readers could then disagree about where the token is.

use std::ops::Range;

use data_encoding::{HEXLOWER, HEXUPPER};
use sha2::{Digest, Sha256};

use crate::error::Fault;

/// The section that we write, and that every reader of the era knows.
pub(crate) const SECTION: &str = "jwt";
/// The section that wascap 0.9 and later writes. We read it.
pub(crate) const SECTION_LATER: &str = "wasmcloud_jwt";

const MAGIC: &[u8; 4] = b"\0asm";
const VERSION: [u8; 4] = [1, 0, 0, 0];
const HEADER_BYTES: usize = 8;
/// The highest section id of the specification (tags).
const SECTION_ID_MAX: u8 = 13;
/// An empty section is two bytes of the file and forty times that in memory, before any signature has been looked at.
const SECTIONS_MAX: usize = 10_000;

/// A module, cut into the token and everything else. Borrows the module.
pub(crate) struct Module<'a> {
    wasm: &'a [u8],
    sections: Vec<Section>,
}

struct Section {
    id: u8,
    /// From the id to the end of the body.
    whole: Range<usize>,
    /// The body, without id and length.
    body: Range<usize>,
    /// Of a section that holds a token: its name's bytes' end in the module, and the name.
    token: Option<(usize, &'static str)>,
}

impl<'a> Module<'a> {
    /// Reads the framing of the whole module.
    pub(crate) fn parse(wasm: &'a [u8]) -> Result<Self, Fault> {
        check_header(wasm)?;
        let mut sections = Vec::new();
        // One bit for each id.
        let mut seen = 0u16;
        let mut at = HEADER_BYTES;
        while at < wasm.len() {
            let section = Section::parse(wasm, at)?;
            if section.id != 0 && seen & (1 << section.id) != 0 {
                return Err(framing(at, "a section of the same kind came before"));
            }
            if sections.len() == SECTIONS_MAX {
                return Err(framing(at, "it has more than 10000 sections"));
            }
            seen |= 1 << section.id;
            at = section.whole.end;
            sections.push(section);
        }
        Ok(Self { wasm, sections })
    }

    /// The token's bytes, if there are any. Two tokens are an error.
    pub(crate) fn token(&self) -> Result<Option<&'a [u8]>, Fault> {
        let mut found = None;
        for section in &self.sections {
            let Some((start, name)) = section.token else { continue };
            if let Some((_, first)) = found {
                let first: &str = first;
                return Err(Fault::SeveralTokens { first: first.to_owned(), second: name.to_owned() });
            }
            found = Some((&self.wasm[start..section.body.end], name));
        }
        Ok(found.map(|(bytes, _)| bytes))
    }

    /// Upper-case hex SHA-256 of the module's bytes without the token's section, as they are.
    pub(crate) fn hash(&self) -> String {
        let mut digest = Sha256::new_with_prefix(&self.wasm[..HEADER_BYTES]);
        for section in self.sections.iter().filter(|s| s.token.is_none()) {
            digest.update(&self.wasm[section.whole.clone()]);
        }
        HEXUPPER.encode(&digest.finalize())
    }

    /// The module without any token, every section's length written in its shortest form. Compilers pad these lengths,
    /// and wascap hashes the short form; after this both readings are the same bytes.
    pub(crate) fn without_token(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.wasm.len());
        out.extend_from_slice(&self.wasm[..HEADER_BYTES]);
        for section in self.sections.iter().filter(|s| s.token.is_none()) {
            push_section(&mut out, section.id, &[&self.wasm[section.body.clone()]]);
        }
        out
    }
}

impl Section {
    fn parse(wasm: &[u8], start: usize) -> Result<Self, Fault> {
        let id = wasm[start];
        if id > SECTION_ID_MAX {
            return Err(framing(start, "there is no such section"));
        }
        let (length, body) = read_u32(wasm, start + 1, wasm.len())?;
        let end = end_of(wasm, body, length, wasm.len())?;
        let token = if id == 0 { token_name(wasm, start, body, end)? } else { None };
        Ok(Self { id, whole: start..end, body: body..end, token })
    }
}

/// Appends the custom section that holds the token.
pub(crate) fn append_token(module: &mut Vec<u8>, token: &str) {
    let name_length = [SECTION.len() as u8];
    push_section(module, 0, &[&name_length, SECTION.as_bytes(), token.as_bytes()]);
}

/// Upper-case hex SHA-256 of all the bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    HEXUPPER.encode(&Sha256::digest(bytes))
}

fn check_header(wasm: &[u8]) -> Result<(), Fault> {
    if wasm.is_empty() {
        return Err(Fault::Empty);
    }
    let head = &wasm[..wasm.len().min(4)];
    if head != &MAGIC[..head.len()] {
        // Text is not repeated: it may be a seed, given by mistake.
        let found = if head.iter().all(u8::is_ascii_graphic) { "text".to_owned() } else { HEXLOWER.encode(head) };
        return Err(Fault::NotWasm { found });
    }
    match wasm.get(4..HEADER_BYTES) {
        None => Err(truncated("the header", wasm.len())),
        Some(version) if version == VERSION => Ok(()),
        Some([_, _, 1, 0]) => Err(Fault::NotAModule { found: "it is a component".to_owned() }),
        Some(version) => Err(Fault::NotAModule { found: format!("its version is {}", HEXLOWER.encode(version)) }),
    }
}

/// The name of a custom section, if it is one that holds a token, and where its content begins.
fn token_name(wasm: &[u8], start: usize, body: usize, end: usize) -> Result<Option<(usize, &'static str)>, Fault> {
    let (length, name) = match read_u32(wasm, body, end) {
        Err(Fault::Truncated { .. }) => return Err(framing(start, "the custom section has no name")),
        other => other?,
    };
    let Ok(name_end) = end_of(wasm, name, length, end) else {
        return Err(framing(start, "the custom section's name is longer than the section"));
    };
    let Ok(text) = std::str::from_utf8(&wasm[name..name_end]) else {
        return Err(framing(start, "the custom section's name is not UTF-8"));
    };
    let known = [SECTION, SECTION_LATER].into_iter().find(|known| *known == text);
    Ok(known.map(|known| (name_end, known)))
}

/// Reads an unsigned LEB128 number of at most 32 bits that lies before `limit`; also returns where it ends.
fn read_u32(wasm: &[u8], start: usize, limit: usize) -> Result<(u32, usize), Fault> {
    let mut value = 0u32;
    for (index, &byte) in wasm[start..limit].iter().take(5).enumerate() {
        if index == 4 && byte > 0x0f {
            return Err(framing(start, "a length does not fit 32 bits"));
        }
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, start + index + 1));
        }
    }
    Err(truncated("a section's length", wasm.len()))
}

fn end_of(wasm: &[u8], start: usize, length: u32, limit: usize) -> Result<usize, Fault> {
    match start.checked_add(length as usize) {
        Some(end) if end <= limit => Ok(end),
        _ => Err(truncated("a section", wasm.len())),
    }
}

fn push_section(out: &mut Vec<u8>, id: u8, parts: &[&[u8]]) {
    out.push(id);
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        out.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn framing(offset: usize, why: &'static str) -> Fault {
    Fault::Framing { offset: offset as u64, why }
}

fn truncated(inside: &'static str, file_bytes: usize) -> Fault {
    Fault::Truncated { inside, file_bytes: file_bytes as u64 }
}
