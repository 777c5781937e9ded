//! The strict reader of archives: `claims.jwt` and libraries, plain files with plain names, each once, all of it bounded.
//!
//! The blocks of the tar file are walked here, with `tar` reading only the fields of a header: its own iterator follows
//! extended headers and takes a file that ends early for one that ends. Memory is taken as bytes arrive, never because
//! a header promises them. The input is read to its very end, because only there gzip keeps its checksum.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;
use tar::{EntryType, Header};

use super::{ArchiveLimits, CLAIMS_FILE, LIBRARY_SUFFIX, Packing, ProviderArchive, is_target};
use crate::error::{Fault, plain};
use crate::metadata::ProviderMetadata;
use crate::token::Decoded;

const BLOCK_BYTES: usize = 512;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const CHUNK_BYTES: usize = 64 * 1024;
/// Where a header keeps the checksum, which counts as spaces in the sum.
const CHECKSUM_FIELD: std::ops::Range<usize> = 148..156;

pub(super) fn read(mut from: impl BufRead, limits: &ArchiveLimits) -> Result<ProviderArchive, Fault> {
    let mut start = Vec::new();
    let first = from.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start);
    first.map_err(|source| Fault::Unreadable { source })?;
    if start.is_empty() {
        return Err(Fault::Empty);
    }
    let packing = if start == GZIP_MAGIC { Packing::Gzip } else { Packing::Plain };
    let file_bytes = Cell::new(0);
    let from = Counted { from: start.as_slice().chain(from), bytes: &file_bytes };
    if packing == Packing::Plain {
        return read_tar(&mut Blocks::new(from, packing, &file_bytes, limits), limits);
    }
    let mut blocks = Blocks::new(GzDecoder::new(from), packing, &file_bytes, limits);
    let archive = read_tar(&mut blocks, limits)?;
    let offset = blocks.offset;
    let mut rest = blocks.inner.into_inner();
    let rest = rest.fill_buf().map(<[u8]>::is_empty);
    match rest.map_err(|source| Fault::Unreadable { source })? {
        true => Ok(archive),
        false => Err(Fault::Archive { offset, packing, why: "something follows the end of the gzip data".to_owned() }),
    }
}

fn read_tar(blocks: &mut Blocks<'_, impl Read>, limits: &ArchiveLimits) -> Result<ProviderArchive, Fault> {
    let mut token = None;
    let mut libraries = BTreeMap::new();
    let mut entries = 0;
    while let Some((name, size_bytes)) = next_entry(blocks)? {
        entries += 1;
        if entries > limits.entries_max {
            return Err(Fault::TooManyEntries { entries_max: limits.entries_max });
        }
        if name == CLAIMS_FILE {
            if token.is_some() {
                return Err(Fault::DuplicateFile { name });
            }
            token = Some(blocks.content(&name, size_bytes, limits.claims_bytes_max)?);
            continue;
        }
        let Some(target) = name.strip_suffix(LIBRARY_SUFFIX).filter(|target| is_target(target)) else {
            return Err(Fault::ExtraFile { name });
        };
        if libraries.contains_key(target) {
            return Err(Fault::DuplicateFile { name });
        }
        libraries.insert(target.to_owned(), blocks.content(&name, size_bytes, limits.library_bytes_max)?);
    }
    blocks.expect_end()?;
    if libraries.is_empty() {
        return Err(Fault::NoLibrary);
    }
    let decoded = token.map(|token| Decoded::parse(&token)).transpose()?;
    Ok(assemble(libraries, decoded))
}

fn assemble(libraries: BTreeMap<String, Vec<u8>>, decoded: Option<Decoded<ProviderMetadata>>) -> ProviderArchive {
    let metadata = decoded.as_ref().map(|decoded| decoded.metadata.clone()).unwrap_or_default();
    ProviderArchive {
        capid: metadata.capid,
        name: metadata.name.unwrap_or_default(),
        vendor: metadata.vendor,
        rev: metadata.rev,
        ver: metadata.ver,
        needs: metadata.needs,
        libraries,
        decoded,
    }
}

/// The name and size of the next entry; `None` at the block of zeros that ends the archive.
fn next_entry(blocks: &mut Blocks<'_, impl Read>) -> Result<Option<(String, u64)>, Fault> {
    let offset = blocks.offset;
    let block = blocks.block("a header")?;
    if block.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    let packing = blocks.packing;
    let malformed = |why: &str| Fault::Archive { offset, packing, why: why.to_owned() };
    let header = Header::from_byte_slice(&block);
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let computed = sum(&block) - sum(&block[CHECKSUM_FIELD]) + 8 * u32::from(b' ');
    if header.cksum().ok() != Some(computed) {
        return Err(malformed("the header's checksum is wrong; is this a provider archive?"));
    }
    let name = header.path_bytes();
    let name = match std::str::from_utf8(&name) {
        Ok(name) if is_plain_name(name) => name.to_owned(),
        _ => return Err(Fault::EntryName { name: plain(&String::from_utf8_lossy(&name)) }),
    };
    let kind = header.entry_type();
    if !matches!(kind, EntryType::Regular) {
        return Err(Fault::EntryKind { name, kind: describe(kind) });
    }
    let size_bytes = header.entry_size().map_err(|_| malformed("the size of an entry is no number"))?;
    Ok(Some((name, size_bytes)))
}

/// What we write is `claims.jwt` and `x86_64-linux.bin`; no other alphabet is needed, so no name can be a path.
fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

fn describe(kind: EntryType) -> String {
    match kind {
        EntryType::Link => "a hard link".to_owned(),
        EntryType::Symlink => "a symbolic link".to_owned(),
        EntryType::Directory => "a directory".to_owned(),
        EntryType::Char | EntryType::Block => "a device".to_owned(),
        EntryType::Fifo => "a named pipe".to_owned(),
        EntryType::GNUSparse => "a sparse file".to_owned(),
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
            "an extended header".to_owned()
        }
        other => format!("an entry of type {:#04x}", other.as_byte()),
    }
}

/// Counts the bytes of the file itself, so that a truncated one can be told by its size.
struct Counted<'a, R> {
    from: R,
    bytes: &'a Cell<u64>,
}

impl<R: BufRead> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<'_, R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.from.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.from.consume(count);
        self.bytes.set(self.bytes.get() + count as u64);
    }
}

/// Reads whole blocks and counts them against the limit.
struct Blocks<'a, R> {
    inner: R,
    packing: Packing,
    /// Bytes read so far of the file, which may be compressed.
    file_bytes: &'a Cell<u64>,
    /// Bytes read so far, unpacked.
    offset: u64,
    total_bytes_max: u64,
}

impl<'a, R: Read> Blocks<'a, R> {
    fn new(inner: R, packing: Packing, file_bytes: &'a Cell<u64>, limits: &ArchiveLimits) -> Self {
        Self { inner, packing, file_bytes, offset: 0, total_bytes_max: limits.total_bytes_max }
    }

    /// The input has ended, so what was read of it is all of the file.
    fn truncated(&self, inside: &'static str) -> Fault {
        Fault::Truncated { inside, file_bytes: self.file_bytes.get() }
    }

    fn block(&mut self, inside: &'static str) -> Result<[u8; BLOCK_BYTES], Fault> {
        let mut block = [0; BLOCK_BYTES];
        match self.fill(&mut block)? {
            BLOCK_BYTES => Ok(block),
            _ => Err(self.truncated(inside)),
        }
    }

    /// The content of an entry, and the padding up to the next block.
    fn content(&mut self, name: &str, size_bytes: u64, bytes_max: u64) -> Result<Vec<u8>, Fault> {
        if size_bytes > bytes_max {
            return Err(Fault::Oversized { what: name.to_owned(), bytes_max });
        }
        let mut content = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut left = size_bytes;
        while left > 0 {
            let wanted = left.min(CHUNK_BYTES as u64) as usize;
            if self.fill(&mut chunk[..wanted])? < wanted {
                return Err(self.truncated("a file"));
            }
            content.extend_from_slice(&chunk[..wanted]);
            left -= wanted as u64;
        }
        let padding = (BLOCK_BYTES - content.len() % BLOCK_BYTES) % BLOCK_BYTES;
        if self.fill(&mut chunk[..padding])? < padding {
            return Err(self.truncated("a file"));
        }
        Ok(content)
    }

    /// After the first block of zeros there is a second one, then at most more zeros.
    fn expect_end(&mut self) -> Result<(), Fault> {
        let mut inside = "the end mark";
        loop {
            let offset = self.offset;
            let mut block = [0; BLOCK_BYTES];
            match self.fill(&mut block)? {
                0 if inside != "the end mark" => return Ok(()),
                BLOCK_BYTES if block.iter().all(|&byte| byte == 0) => inside = "the padding",
                BLOCK_BYTES => {
                    let why = "something follows the end of the archive".to_owned();
                    return Err(Fault::Archive { offset, packing: self.packing, why });
                }
                _ => return Err(self.truncated(inside)),
            }
        }
    }

    /// Fills the buffer as far as there is input, and says how far.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
        self.offset += filled as u64;
        if self.offset > self.total_bytes_max {
            return Err(Fault::Oversized { what: "the archive".to_owned(), bytes_max: self.total_bytes_max });
        }
        Ok(filled)
    }

    /// flate2 tells of damaged data by the error's kind.
    fn failed(&self, error: std::io::Error) -> Fault {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.truncated("the gzip data"),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                Fault::Archive { offset: self.offset, packing: self.packing, why: plain(&error.to_string()) }
            }
            _ => Fault::Unreadable { source: error },
        }
    }
}
