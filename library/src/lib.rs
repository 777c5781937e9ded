//! Reads a provider's library as a file, before anything opens it: opening runs its constructors.
//!
//! `par create` asks it so that nobody signs what cannot run; the shim asks it again, because it believes nobody. Pure: it
//! takes bytes, does no I/O and must never open a library. Start reading at [`check`].

#![forbid(unsafe_code)]

mod target;

use cofferdam_abi::{ABI_VERSION, ENTRY_SYMBOL, ProviderV1};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, LittleEndian};

pub use target::Target;

/// Why a file is not the library of a provider for a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryFault {
    /// No shared library, or one for other machines.
    #[error("{reason}")]
    NotALibrary {
        /// Why, for people.
        reason: String,
    },
    /// A library that is no provider.
    #[error("it exports no `{ENTRY_SYMBOL}`: it is no provider, or one for another ABI version")]
    NoEntry,
    /// A provider whose descriptor has another form.
    #[error(
        "it was built for ABI version {version} with a descriptor of {size_bytes} bytes; spoken here is version \
         {ABI_VERSION} with {} bytes", size_of::<ProviderV1>()
    )]
    OtherAbi {
        /// The first word of its descriptor.
        version: u32,
        /// The second.
        size_bytes: u32,
    },
}

/// Checks class, byte order, kind, machine, symbol and ABI version, from the bytes alone.
pub fn check(library: &[u8], target: Target) -> Result<(), LibraryFault> {
    check_header(library, target)?;
    let not_elf = |error: object::Error| not_a_library(format!("its ELF tables can't be read: {error}"));
    let file = ElfFile64::<LittleEndian>::parse(library).map_err(not_elf)?;
    let address = entry_address(&file, library).ok_or(LibraryFault::NoEntry)?;
    let (version, size_bytes) = version_and_size(&file, library, address)?;
    if version != ABI_VERSION || size_bytes as usize != size_of::<ProviderV1>() {
        return Err(LibraryFault::OtherAbi { version, size_bytes });
    }
    Ok(())
}

fn check_header(library: &[u8], target: Target) -> Result<(), LibraryFault> {
    let header = elf::FileHeader64::<Endianness>::parse(library)
        .map_err(|_| not_a_library("it is not a 64-bit ELF file".to_owned()))?;
    let endian = header.endian().map_err(|_| not_a_library("its byte order is unknown".to_owned()))?;
    if endian != Endianness::Little {
        return Err(not_a_library("it is big-endian".to_owned()));
    }
    if header.e_type(endian) != elf::ET_DYN {
        return Err(not_a_library("it is not a shared library".to_owned()));
    }
    let found = header.e_machine(endian);
    if found != target.machine() {
        let (wanted, number) = (target.processor(), target.machine());
        return Err(not_a_library(match Target::ALL.into_iter().find(|other| other.machine() == found) {
            Some(other) => format!("it is for {}, not for {wanted}", other.processor()),
            None => format!("it is for ELF machine {found}, not for {wanted} ({number})"),
        }));
    }
    Ok(())
}

/// Where the entry is. Of a symbol's name no more is read than the entry's has: names may share their bytes, and a file of
/// a few megabytes whose names are all long would take minutes.
fn entry_address(file: &ElfFile64<'_, LittleEndian>, library: &[u8]) -> Option<u64> {
    let symbols = file.elf_dynamic_symbol_table();
    let names = file.elf_section_table().section(symbols.string_section()).ok()?;
    let names = names.data(LittleEndian, library).ok()?;
    let is_entry = |symbol: &&elf::Sym64<LittleEndian>| {
        let name = names.get(symbol.st_name(LittleEndian) as usize..).unwrap_or_default();
        let after = name.strip_prefix(ENTRY_SYMBOL.as_bytes());
        after.is_some_and(|after| after.starts_with(b"\0")) && symbol.is_definition(LittleEndian)
    };
    symbols.iter().find(is_entry).map(|symbol| symbol.st_value(LittleEndian))
}

/// The first two words of the descriptor, which need no relocation.
fn version_and_size(
    file: &ElfFile64<'_, LittleEndian>,
    library: &[u8],
    address: u64,
) -> Result<(u32, u32), LibraryFault> {
    let bytes = file.elf_program_headers().iter().find_map(|segment| {
        segment.data_as_array::<u8, _>(LittleEndian, library).ok().and_then(|data| {
            let start = address.checked_sub(segment.p_vaddr(LittleEndian))?;
            let loads = segment.p_type(LittleEndian) == elf::PT_LOAD;
            data.get(usize::try_from(start).ok().filter(|_| loads)?..)?.first_chunk::<8>()
        })
    });
    let [a, b, c, d, e, f, g, h] =
        *bytes.ok_or_else(|| not_a_library(format!("`{ENTRY_SYMBOL}` lies outside of its data")))?;
    Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
}

fn not_a_library(reason: String) -> LibraryFault {
    LibraryFault::NotALibrary { reason }
}
