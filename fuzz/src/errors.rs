//! What holds for every error that a stranger's bytes bring about, because a person reads it at a terminal.

/// How long the text of an error may be. What is quoted from the file is cut far below.
const TEXT_BYTES_MAX: usize = 4096;

/// Checks what is shown of an error: it says something, in bounds, and nothing in it moves the cursor or hides.
pub fn check(text: &str, next_step: &str) {
    assert!(!text.is_empty() && !next_step.is_empty(), "an error without words: {text:?}, {next_step:?}");
    assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes of error: {text:?}", text.len());
    let deceiving = text.chars().find(|&c| cofferdam_claims::deceives(c));
    assert_eq!(deceiving, None, "an error can deceive its reader: {text:?}");
}
