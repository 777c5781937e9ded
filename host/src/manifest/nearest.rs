//! The known key that was most likely meant.

/// The nearest of `known`, when it takes at most a third of its letters to get there.
pub(super) fn nearest(found: &str, known: &[&'static str]) -> Option<&'static str> {
    let found: Vec<char> = found.to_lowercase().chars().map(|c| if c == '-' { '_' } else { c }).take(64).collect();
    let scored = known.iter().map(|word| (edits(&found, &word.chars().collect::<Vec<_>>()), *word));
    scored.filter(|(edits, word)| *edits <= word.len().div_ceil(3)).min().map(|(_, word)| word)
}

/// Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
fn edits(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut current = vec![row];
        for column in 1..=to.len() {
            let replaced = above[column - 1] + usize::from(from[row - 1] != to[column - 1]);
            let mut best = replaced.min(above[column] + 1).min(current[column - 1] + 1);
            let swapped = row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
            if swapped {
                best = best.min(before[column - 2] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_key_that_was_meant_is_found() {
        let keys = ["actor", "provider_id", "contract_id", "link_name", "values"];
        let cases = [
            ("actors", Some("actor")),
            ("provider-id", Some("provider_id")),
            ("Contract_ID", Some("contract_id")),
            ("linkname", Some("link_name")),
            ("vaules", Some("values")),
            ("value", Some("values")),
            ("image_ref", None),
            ("", None),
        ];
        for (found, expected) in cases {
            assert_eq!(nearest(found, &keys), expected, "{found}");
        }
    }
}
