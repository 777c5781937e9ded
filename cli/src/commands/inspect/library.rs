//! Native libraries, read as files: what they are for and whether they are providers. Nothing is ever loaded.

use object::{Architecture, Endianness, Object, ObjectSymbol};
use serde_json::json;

use super::Found;
use crate::output::Style;
use crate::table::{Cell, Sheet};

/// Followed by the ABI's version.
const ENTRY_SYMBOL_STEM: &str = "cofferdam_provider_v";
/// The one of the old plug-ins, which are Rust's own ABI of one compiler.
const LEGACY_SYMBOL: &str = "__capability_provider_create";

/// What an ELF file is; `None` when its tables are damaged.
pub(super) fn look(file: &str, bytes: &[u8]) -> Option<Found> {
    let elf = object::File::parse(bytes).ok()?;
    let arch = match elf.architecture() {
        Architecture::X86_64 => "x86_64".to_owned(),
        Architecture::Aarch64 => "aarch64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    let defined = |symbol: &str| elf.dynamic_symbols().any(|s| s.is_definition() && s.name() == Ok(symbol));
    let version = elf
        .dynamic_symbols()
        .filter(ObjectSymbol::is_definition)
        .find_map(|symbol| symbol.name().ok()?.strip_prefix(ENTRY_SYMBOL_STEM)?.parse::<u32>().ok());
    let legacy = defined(LEGACY_SYMBOL);
    let bits = if elf.is_64() { 64 } else { 32 };
    let order = if elf.endianness() == Endianness::Little { "little" } else { "big" };
    let mut sheet = Sheet::default();
    sheet.row("file", file).row("type", "native library (ELF)").row("target", format!("{arch}-linux"));
    sheet.row("form", format!("{bits} bits, {order}-endian"));
    sheet.cell(
        "provider",
        match (version, legacy) {
            (Some(version), _) => Cell::styled(format!("yes, ABI version {version}"), Style::Good),
            (None, true) => {
                Cell::styled("an old plug-in, which works only with the compiler it came from", Style::Busy)
            }
            (None, false) => Cell::styled(format!("no: it exports no `{ENTRY_SYMBOL_STEM}1`"), Style::Bad),
        },
    );
    let json = json!({
        "file": file, "type": "library", "target": format!("{arch}-linux"), "bits": bits, "byte_order": order,
        "provider": version.is_some(), "abi_version": version, "legacy_plugin": legacy,
    });
    Some(Found { json, sheet })
}
