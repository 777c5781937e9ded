//! The smallest ELF file that is a provider's library by its looks, with any part of it wrong on demand. The tests of the
//! command line make their archives of it, too.

/// What the file says of itself.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// 2 for 64 bits.
    pub(crate) class: u8,
    /// 1 for little-endian.
    pub(crate) order: u8,
    /// 3 for a shared library.
    pub(crate) kind: u16,
    /// 62 for x86_64, 183 for aarch64.
    pub(crate) machine: u16,
    pub(crate) symbol: &'static str,
    /// Where the symbol is; the one segment lies at 0x1000.
    pub(crate) address: u64,
    pub(crate) version: u32,
    pub(crate) size_bytes: u32,
}

pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;

const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;
const SYMBOLS_BYTES: usize = 48;

impl Sample {
    /// A good one.
    pub(crate) fn of(machine: u16) -> Self {
        let (symbol, size_bytes) = ("cofferdam_provider_v1", size_of::<cofferdam_abi::ProviderV1>() as u32);
        Self { class: 2, order: 1, kind: 3, machine, symbol, address: 0x1000, version: 1, size_bytes }
    }

    /// Header, segment, symbols, their names, the segment's data, sections.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let names = format!("\0{}\0", self.symbol).into_bytes();
        let names_at = HEADER_BYTES + SEGMENT_BYTES + SYMBOLS_BYTES;
        let data_at = (names_at + names.len()).next_multiple_of(8);
        let mut elf = vec![0x7f, b'E', b'L', b'F', self.class, self.order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let sections_at = data_at as u64 + 8;
        elf.extend(numbers(&[
            (2, self.kind.into()),
            (2, self.machine.into()),
            (4, 1),
            (8, 0),
            (8, 64),
            (8, sections_at),
        ]));
        // Flags; sizes and counts of header, segments and sections; the section of their names.
        elf.extend(numbers(&[(4, 0), (2, 64), (2, 56), (2, 1), (2, 64), (2, 3), (2, 2)]));
        // One PT_LOAD.
        let data = data_at as u64;
        elf.extend(numbers(&[(4, 1), (4, 4), (8, data), (8, 0x1000), (8, 0x1000), (8, 8), (8, 8), (8, 8)]));
        // The empty symbol, then a global object in section 1.
        elf.extend(numbers(&[(8, 0), (8, 0), (8, 0)]));
        elf.extend(numbers(&[(4, 1), (1, 0x11), (1, 0), (2, 1), (8, self.address), (8, 8)]));
        elf.extend(&names);
        elf.resize(data_at, 0);
        elf.extend(numbers(&[(4, self.version.into()), (4, self.size_bytes.into())]));
        // No section, SHT_DYNSYM with its names in section 2, SHT_STRTAB.
        let (symbols_at, symbols) = ((HEADER_BYTES + SEGMENT_BYTES) as u64, SYMBOLS_BYTES as u64);
        elf.extend([0; 64]);
        elf.extend(numbers(&[
            (4, 0),
            (4, 11),
            (8, 2),
            (8, 0),
            (8, symbols_at),
            (8, symbols),
            (4, 2),
            (4, 1),
            (8, 8),
            (8, 24),
        ]));
        let (names_at, names) = (names_at as u64, names.len() as u64);
        elf.extend(numbers(&[
            (4, 0),
            (4, 3),
            (8, 2),
            (8, 0),
            (8, names_at),
            (8, names),
            (4, 0),
            (4, 0),
            (8, 1),
            (8, 0),
        ]));
        elf
    }
}

/// Numbers of so many bytes, little-endian.
fn numbers(fields: &[(usize, u64)]) -> Vec<u8> {
    fields.iter().flat_map(|&(bytes, number)| number.to_le_bytes()[..bytes].to_vec()).collect()
}
