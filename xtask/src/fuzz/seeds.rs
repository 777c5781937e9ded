//! Where the fuzzer of a target starts: good inputs, made of what the repository has. They are written into `fuzz/corpus`, where
//! the fuzzer keeps what it finds; nothing there is committed, and nothing there is removed here.

use std::fs;
use std::path::Path;

use crate::Failure;

/// Golden bytes, fixtures and examples that are seeds as they are, by target. What lies in `fuzz/seeds` was made for this.
const FILES: &[(&str, &str)] = &[
    ("archive", "claims/fixtures/written_by_0.4.par.gz"),
    ("claims", "claims/fixtures/signed_loop.wasm"),
    ("manifest", "demo/manifest.yaml"),
];
const GOLDEN_FRAMES: &str = "protocol/tests/golden/wire.txt";
const GOLDEN_LINES: &str = "host/src/control/snapshots/cofferdam_host__control__tests__the_lines_are_these.snap";
const DOCUMENTED_MANIFEST: &str = "docs/manifest.md";
/// How many bytes the length of a frame has.
const LENGTH_BYTES: usize = 4;

/// Writes the seeds of one target.
pub(super) fn write(root: &Path, target: &str) -> Result<(), Failure> {
    let mut seeds: Vec<Vec<u8>> = match target {
        "hello" => openings(&golden(&text(root, GOLDEN_FRAMES)?)?),
        "frames" => frames(&golden(&text(root, GOLDEN_FRAMES)?)?),
        "operator" => lines(&text(root, GOLDEN_LINES)?),
        "manifest" => vec![example(&text(root, DOCUMENTED_MANIFEST)?)],
        _ => vec![],
    };
    for (_, file) in FILES.iter().filter(|(of, _)| *of == target) {
        seeds.push(bytes(root, file)?);
    }
    let own = format!("fuzz/seeds/{target}");
    for entry in fs::read_dir(root.join(&own)).into_iter().flatten().flatten() {
        seeds.push(bytes(root, &format!("{own}/{}", entry.file_name().to_string_lossy()))?);
    }
    let corpus = root.join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus).map_err(|error| format!("{} could not be made: {error}", corpus.display()))?;
    for (index, seed) in seeds.iter().enumerate() {
        let file = corpus.join(format!("seed-{index}"));
        fs::write(&file, seed).map_err(|error| format!("{} could not be written: {error}", file.display()))?;
    }
    Ok(())
}

fn bytes(root: &Path, file: &str) -> Result<Vec<u8>, Failure> {
    fs::read(root.join(file)).map_err(|error| format!("{file} could not be read: {error}").into())
}

fn text(root: &Path, file: &str) -> Result<String, Failure> {
    fs::read_to_string(root.join(file)).map_err(|error| format!("{file} could not be read: {error}").into())
}

/// The rows of the golden table: each name with its bytes, 16 a line between the offset and the text.
fn golden(table: &str) -> Result<Vec<(&str, Vec<u8>)>, Failure> {
    let mut rows: Vec<(&str, Vec<u8>)> = vec![];
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((_, row)) = rows.last_mut().filter(|_| line.starts_with(' ')) else {
            rows.push((line, vec![]));
            continue;
        };
        for hex in line.get(8..line.len().clamp(8, 55)).unwrap_or_default().split_whitespace() {
            let byte = u8::from_str_radix(hex, 16);
            row.push(byte.map_err(|_| format!("{GOLDEN_FRAMES}: `{hex}` is no byte, in `{line}`"))?);
        }
    }
    Ok(rows)
}

fn is_opening(name: &str) -> bool {
    name.starts_with("Preface") || name.ends_with("Hello")
}

/// What each side says first: its preface, then its hello.
fn openings(golden: &[(&str, Vec<u8>)]) -> Vec<Vec<u8>> {
    let of = |side: &str| {
        let said = golden.iter().filter(|(name, _)| is_opening(name) && name.contains(side));
        said.flat_map(|(_, bytes)| bytes.clone()).collect()
    };
    vec![of("Host"), of("Shim")]
}

/// Every other message, with its length and without.
fn frames(golden: &[(&str, Vec<u8>)]) -> Vec<Vec<u8>> {
    let frames = golden.iter().filter(|(name, _)| !is_opening(name));
    frames.flat_map(|(_, bytes)| [bytes.clone(), bytes.get(LENGTH_BYTES..).unwrap_or_default().to_vec()]).collect()
}

fn lines(golden: &str) -> Vec<Vec<u8>> {
    golden.lines().filter(|line| line.starts_with('{')).map(|line| line.as_bytes().to_vec()).collect()
}

/// The first example of a page.
fn example(page: &str) -> Vec<u8> {
    let inside = page.split("```").nth(1).unwrap_or_default();
    inside.strip_prefix("yaml").unwrap_or(inside).as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{example, frames, golden, lines, openings};

    const TABLE: &str = "# The bytes.
Preface Side::Host
  0000  89 63                                            .c
HostHello
  0000  01                                               .
ShimHello
  0000  02                                               .
CallHeader::Reply
  0000  01 00 00 00 61 62                                ....ab
";

    #[test]
    fn seeds_are_what_the_tables_say() {
        let rows = golden(TABLE).expect("a table");
        assert_eq!(openings(&rows), [vec![0x89, 0x63, 1], vec![2]]);
        assert_eq!(frames(&rows), [b"\x01\0\0\0ab".to_vec(), b"ab".to_vec()]);
        assert!(golden("a\n  0000  zz\n").is_err());
        assert_eq!(lines("---\n{\"v\":1}\n"), [b"{\"v\":1}".to_vec()]);
        assert_eq!(example("text\n```yaml\na: 1\n```\n"), b"\na: 1\n");
    }
}
