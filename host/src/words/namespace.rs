//! What may be a host's namespace: one rule for the flag, the variable, the manifest and the builder.

/// The rule in words, for errors. A dot would make two tokens of it in a subject.
pub const NAMESPACE_RULE: &str = "1 to 64 of A to Z, a to z, 0 to 9, - and _";

const NAMESPACE_CHARS_MAX: usize = 64;

/// Whether this may be a namespace: it becomes the name of a socket and of a folder.
pub fn is_namespace(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=NAMESPACE_CHARS_MAX).contains(&text.len()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::is_namespace;

    #[test]
    fn a_namespace_is_one_plain_word() {
        let (longest, too_long) = ("x".repeat(64), "x".repeat(65));
        for good in ["default", "east-1", "A_9", "-", &*longest] {
            assert!(is_namespace(good), "{good:?}");
        }
        for bad in ["", ".", "..", "a.b", ".hidden", "a/b", "a b", "ä", "a\0", &*too_long] {
            assert!(!is_namespace(bad), "{bad:?}");
        }
    }
}
