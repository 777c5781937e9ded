//! Names of functions, and lines of source, from what a file says of its code. The file may be hostile.

use std::cell::OnceCell;

use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian as Little, SectionId};
use cofferdam_channel::protocol::control::Frame;
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::files::{Elf, Kind, Loaded};

/// Functions of inlined code, of one frame.
const INLINED_MAX: usize = 16;

/// What is shown of a name.
const NAME_CHARS_MAX: usize = 400;

type Debug<'a> = addr2line::Context<EndianSlice<'a, Little>>;

/// What one module says of its code.
pub(super) struct Symbols<'a> {
    loaded: &'a Loaded,
    elf: Elf<'a>,
    debug: OnceCell<Option<Debug<'a>>>,
    functions: OnceCell<Vec<Function<'a>>>,
}

struct Function<'a> {
    begin: u64,
    bytes: u64,
    name: &'a str,
}

/// How much a module says of its code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// Names and lines.
    Lines,
    /// Names.
    Names,
    /// Nothing but what it exports.
    Nothing,
}

impl<'a> Symbols<'a> {
    pub(super) fn of(loaded: &'a Loaded) -> Option<Self> {
        Some(Self { loaded, elf: loaded.elf()?, debug: OnceCell::new(), functions: OnceCell::new() })
    }

    pub(super) fn says(&self) -> Says {
        let has = |name: &str| self.elf.section_by_name(name).is_some();
        match (has(".debug_info") && self.is_readable(), has(".symtab")) {
            (true, _) => Says::Lines,
            (false, true) => Says::Names,
            (false, false) => Says::Nothing,
        }
    }

    /// Whether its debug information is as it is read: it may be compressed.
    pub(super) fn is_readable(&self) -> bool {
        let is_plain = |name| self.elf.section_by_name(name).is_none_or(|section| is_plain(&section));
        is_plain(".debug_info") && is_plain(".debug_line")
    }

    /// The functions at an offset, from the innermost outwards: several when code was inlined.
    pub(super) fn frames(&self, address: u64, offset: u64) -> Vec<Frame> {
        let frame = |function: Option<String>, source: Option<String>| Frame {
            address,
            module: self.loaded.name.clone(),
            offset,
            function,
            source,
            inlined: true,
        };
        let mut frames = Vec::new();
        for (function, source) in self.by_debug_information(offset).unwrap_or_default() {
            frames.push(frame(function, source));
        }
        if frames.is_empty() {
            frames.push(frame(None, None));
        }
        if let Some(last) = frames.last_mut() {
            last.inlined = false;
            // Its symbol has the whole path, its debug information often the last part only.
            last.function = self.by_symbol(offset).or(last.function.take());
        }
        frames
    }

    fn by_debug_information(&self, offset: u64) -> Option<Vec<(Option<String>, Option<String>)>> {
        let debug = self.debug.get_or_init(|| self.read_debug_information()).as_ref()?;
        let mut found = debug.find_frames(offset).skip_all_loads().ok()?;
        let mut frames = Vec::new();
        while let (Ok(Some(frame)), true) = (found.next(), frames.len() < INLINED_MAX) {
            let function = frame.function.as_ref().and_then(|name| name.demangle().ok()).map(|name| shown(&name));
            let source = frame.location.and_then(|location| {
                let file = shown_end(location.file?);
                Some(location.line.map_or(file.clone(), |line| format!("{file}:{line}")))
            });
            frames.push((function, source));
        }
        Some(frames)
    }

    /// Of our own files the names are enough, and quicker.
    fn read_debug_information(&self) -> Option<Debug<'a>> {
        if self.loaded.kind != Kind::Library || !self.is_readable() {
            return None;
        }
        let section = |id: SectionId| -> Result<_, std::convert::Infallible> {
            let data = self.elf.section_by_name(id.name()).filter(is_plain).and_then(|section| section.data().ok());
            Ok(EndianSlice::new(data.unwrap_or_default(), Little))
        };
        let Ok(dwarf) = Dwarf::load(section);
        Debug::from_dwarf(dwarf).ok()
    }

    fn by_symbol(&self, offset: u64) -> Option<String> {
        let functions = self.functions.get_or_init(|| functions(&self.elf));
        let after = functions.partition_point(|function| function.begin <= offset);
        let function = functions.get(after.checked_sub(1)?)?;
        let name = (offset - function.begin < function.bytes).then_some(function.name)?;
        Some(shown(&addr2line::demangle_auto(name.into(), None)))
    }
}

fn is_plain<'a>(section: &impl ObjectSection<'a>) -> bool {
    section.compressed_file_range().is_ok_and(|range| range.format == object::CompressionFormat::None)
}

fn functions<'a>(elf: &Elf<'a>) -> Vec<Function<'a>> {
    let symbols = elf.symbols().chain(elf.dynamic_symbols());
    let mut functions: Vec<_> = symbols
        .filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text)
        .filter_map(|symbol| {
            Some(Function { begin: symbol.address(), bytes: symbol.size(), name: symbol.name().ok()? })
        })
        .collect();
    functions.sort_by_key(|function| function.begin);
    functions
}

/// A name, cut.
fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

/// The end of a path, which says more than its beginning.
fn shown_end(path: &str) -> String {
    let skipped = path.chars().count().saturating_sub(NAME_CHARS_MAX);
    path.chars().skip(skipped).collect()
}
