//! The modules of a process that died, as files: the library and the program as the host handed them over, and libraries
//! of the system from the folders that this process has its own from. No other path is opened, whatever the record says.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use object::elf::PT_LOAD;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{LittleEndian, Object, ObjectSection};

use cofferdam_channel::protocol::crash;

use crate::linker;

/// A library of the system larger than this is not read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What the linker calls a library that was opened from a descriptor.
const BY_DESCRIPTOR: &str = "/proc/self/fd/";

/// Which file a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the provider was.
    Library,
    /// The shim.
    Program,
    /// Something of the system.
    System,
}

/// A module whose file is there.
pub(super) struct Loaded {
    pub(super) kind: Kind,
    /// Its file's name, without a folder.
    pub(super) name: String,
    pub(super) base: u64,
    pub(super) bytes: Vec<u8>,
}

/// Bytes of the two files that were handed over; each is taken once.
pub(super) struct HandedOver {
    pub(super) library: Option<Vec<u8>>,
    pub(super) program: Option<Vec<u8>>,
}

/// Finds the file of each module that has one.
pub(super) fn find(modules: &[crash::Module], mut handed: HandedOver) -> Vec<Loaded> {
    let folders = own_folders();
    let mut find_one = |module: &crash::Module| {
        let (kind, bytes) = match &*module.path {
            "" => (Kind::Program, handed.program.take()?),
            path if path.starts_with(BY_DESCRIPTOR) => (Kind::Library, handed.library.take()?),
            path => (Kind::System, read_system(Path::new(path), &folders)?),
        };
        let name = match kind {
            Kind::Program => "cofferdam-shim",
            Kind::Library => "library",
            Kind::System => Path::new(&module.path).file_name()?.to_str()?,
        };
        Some(Loaded { kind, name: name.to_owned(), base: module.base, bytes })
    };
    modules.iter().filter_map(&mut find_one).collect()
}

fn read_system(path: &Path, folders: &BTreeSet<PathBuf>) -> Option<Vec<u8>> {
    if !path.parent().is_some_and(|folder| folders.contains(folder)) {
        return None;
    }
    read_file(&File::open(path).ok()?)
}

/// Reads a file whole, if it is not too large.
pub(super) fn read_file(file: &File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= FILE_BYTES_MAX).then_some(bytes)
}

/// Where this process has its libraries from.
fn own_folders() -> BTreeSet<PathBuf> {
    linker::loaded().iter().filter_map(|library| library.parent().map(Path::to_owned)).collect()
}

/// A module's file, read as far as its tables.
pub(super) type Elf<'a> = ElfFile64<'a, LittleEndian>;

impl Loaded {
    pub(super) fn elf(&self) -> Option<Elf<'_>> {
        Elf::parse(&*self.bytes).ok()
    }

    /// Where it lay.
    pub(super) fn place(&self) -> Option<Range<u64>> {
        let elf = self.elf()?;
        let loads = elf.elf_program_headers().iter().filter(|header| header.p_type(LittleEndian) == PT_LOAD);
        let ends = loads.map(|load| load.p_vaddr(LittleEndian).saturating_add(load.p_memsz(LittleEndian)));
        Some(self.base..self.base.checked_add(ends.max()?)?)
    }

    /// The same, for the unwinder, with the tables that it needs.
    pub(super) fn for_unwinding(&self) -> Option<framehop::Module<Vec<u8>>> {
        let (elf, place) = (self.elf()?, self.place()?);
        let section = |name: &str| elf.section_by_name(name);
        let range = |name: &str| {
            let section = section(name)?;
            Some(section.address()..section.address().checked_add(section.size())?)
        };
        let data = |name: &str| Some(section(name)?.data().ok()?.to_vec());
        let info = framehop::ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: range(".text"),
            text: data(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            ..Default::default()
        };
        Some(framehop::Module::new(self.name.clone(), place, self.base, info))
    }
}
