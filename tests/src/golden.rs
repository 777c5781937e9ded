//! What tests write into golden files: results as text, with the keys that change from run to run taken out.

use cofferdam_host::HostError;

/// A result in a line: the answer as text, or the error's kind and text.
pub fn show(result: &Result<Vec<u8>, HostError>) -> String {
    match result {
        Ok(answer) => format!("ok: {}", answer.escape_ascii()),
        Err(error) => show_error(error),
    }
}

/// An error in a line: kind and text.
pub fn show_error(error: &HostError) -> String {
    let report = error.report();
    redact(&format!("{}: {}", report.kind, report.message))
}

/// The text with every public key replaced by its first letter and `…`, and every hash and measured time by `…`.
pub fn redact(text: &str) -> String {
    let is_long = |word: &str, length| word.len() == length && !word.bytes().any(|b| b.is_ascii_lowercase());
    let mut shown = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_long(bare, 64) {
            shown.push_str(&format!("…{}", &word[bare.len()..]));
        } else if is_long(bare, 56) {
            shown.push_str(&format!("{}…{}", &bare[..1], &word[bare.len()..]));
        } else {
            shown.push_str(word);
        }
    }
    // How long it took, and where a guest was when its time was over, differ from run to run.
    for cut in [" within ", "ran out of fuel"] {
        if let Some(at) = shown.find(cut) {
            shown.truncate(at + cut.len());
            shown.push('…');
        }
    }
    shown
}
