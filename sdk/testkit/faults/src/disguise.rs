//! Libraries whose file is what is wrong: made from a good one, by changing its bytes.

use cofferdam_abi::{ABI_VERSION, ENTRY_SYMBOL, ProviderV1};

use crate::LibraryFault;

/// The library as the fault has it.
pub fn disguised(fault: LibraryFault, library: &[u8]) -> Vec<u8> {
    match fault {
        LibraryFault::MissingSymbol => {
            let symbol = format!("{ENTRY_SYMBOL}\0");
            replaced(library, symbol.as_bytes(), symbol.to_uppercase().as_bytes())
        }
        LibraryFault::AbiMismatch => replaced(library, &beginning(ABI_VERSION), &beginning(ABI_VERSION + 1)),
        _ => library.to_vec(),
    }
}

/// How a descriptor begins: the version of the ABI, and its own size.
fn beginning(version: u32) -> [u8; 8] {
    let size = size_of::<ProviderV1>() as u64;
    (size << 32 | u64::from(version)).to_le_bytes()
}

/// Every `good` becomes `bad`, which is as long.
fn replaced(library: &[u8], good: &[u8], bad: &[u8]) -> Vec<u8> {
    let mut bytes = library.to_vec();
    let mut at = 0;
    let mut found = false;
    while at + good.len() <= bytes.len() {
        if bytes[at..].starts_with(good) {
            bytes[at..at + good.len()].copy_from_slice(bad);
            found = true;
        }
        at += 1;
    }
    assert!(found, "the library does not have what is to be replaced");
    bytes
}
