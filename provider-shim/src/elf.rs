//! Reads a library as a file before anything opens it: opening runs its constructors.

use cofferdam_abi::{ABI_VERSION, ENTRY_SYMBOL, ProviderV1};
use cofferdam_channel::protocol::control::LoadFault;
use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, LittleEndian, Object, ObjectSymbol};

use crate::fault::ShimFault;

#[cfg(target_arch = "x86_64")]
const MACHINE: (u16, &str) = (elf::EM_X86_64, "x86_64");
#[cfg(target_arch = "aarch64")]
const MACHINE: (u16, &str) = (elf::EM_AARCH64, "aarch64");

/// Checks class, byte order, kind, machine, symbol and ABI version, from the bytes alone.
pub(crate) fn check(library: &[u8]) -> Result<(), ShimFault> {
    check_header(library)?;
    let not_elf = |error: object::Error| not_a_library(format!("its ELF tables can't be read: {error}"));
    let file = ElfFile64::<LittleEndian>::parse(library).map_err(not_elf)?;
    let symbol = file
        .dynamic_symbols()
        .find(|symbol| symbol.name_bytes() == Ok(ENTRY_SYMBOL.as_bytes()) && symbol.is_definition())
        .ok_or_else(|| {
            let reason = format!("it exports no `{ENTRY_SYMBOL}`: it is no provider, or one for another ABI version");
            ShimFault::load(LoadFault::Symbol, reason)
        })?;
    let (version, size) = version_and_size(&file, library, symbol.address())?;
    if version != ABI_VERSION || size as usize != size_of::<ProviderV1>() {
        let reason = format!(
            "it was built for ABI version {version} with a descriptor of {size} bytes; this shim speaks version \
             {ABI_VERSION} with {} bytes",
            size_of::<ProviderV1>()
        );
        return Err(ShimFault::load(LoadFault::Abi, reason));
    }
    Ok(())
}

fn check_header(library: &[u8]) -> Result<(), ShimFault> {
    let header = elf::FileHeader64::<Endianness>::parse(library)
        .map_err(|_| not_a_library("it is not a 64-bit ELF file".to_owned()))?;
    let endian = header.endian().map_err(|_| not_a_library("its byte order is unknown".to_owned()))?;
    if endian != Endianness::Little {
        return Err(not_a_library("it is big-endian".to_owned()));
    }
    if header.e_type(endian) != elf::ET_DYN {
        return Err(not_a_library("it is not a shared library".to_owned()));
    }
    let (machine, name) = MACHINE;
    if header.e_machine(endian) != machine {
        let found = header.e_machine(endian);
        return Err(not_a_library(format!("it is for ELF machine {found}, this is {name} ({machine})")));
    }
    Ok(())
}

/// The first two words of the descriptor, which need no relocation.
fn version_and_size(file: &ElfFile64<'_, LittleEndian>, library: &[u8], address: u64) -> Result<(u32, u32), ShimFault> {
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

fn not_a_library(reason: String) -> ShimFault {
    ShimFault::load(LoadFault::NotALibrary, reason)
}
