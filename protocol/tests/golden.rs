//! The bytes of every message, pinned in `golden/wire.txt`. A line that was released never changes; a new message adds
//! its own.

use cofferdam_protocol::frame;

mod samples;

const GOLDEN: &str = include_str!("golden/wire.txt");

/// A row of the table: the name, then 16 bytes a line behind their offset, with what can be read of them as text.
fn row(name: &str, bytes: &[u8]) -> String {
    let mut row = format!("{name}\n");
    for (line, chunk) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            chunk.iter().map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '.' }).collect();
        row.push_str(&format!("  {:04x}  {:<47}  {text}\n", line * 16, hex.join(" ")));
    }
    row
}

/// The rows of the committed table: each name with its bytes.
fn golden() -> Vec<(String, Vec<u8>)> {
    let mut rows: Vec<(String, Vec<u8>)> = vec![];
    for line in GOLDEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') {
            rows.push((line.to_owned(), vec![]));
            continue;
        }
        let bytes = line[8..55].split_whitespace().map(|hex| u8::from_str_radix(hex, 16).expect("hex digits"));
        rows.last_mut().expect("a name comes first").1.extend(bytes);
    }
    rows
}

#[test]
fn every_message_has_the_bytes_it_was_released_with() {
    let golden = golden();
    let mut missing = String::new();
    for (name, message) in samples::all() {
        match golden.iter().find(|(row, _)| *row == name) {
            Some((_, bytes)) => assert_eq!(row(&name, &message.to_bytes()), row(&name, bytes), "{name} changed"),
            None => missing.push_str(&row(&name, &message.to_bytes())),
        }
    }
    assert!(missing.is_empty(), "new messages; append to tests/golden/wire.txt:\n{missing}");
}

#[test]
fn the_released_bytes_are_read_as_the_same_messages() {
    let samples = samples::all();
    for (name, bytes) in golden() {
        let message = samples.iter().find(|(sample, _)| *sample == name).map(|(_, message)| message);
        let message = message.unwrap_or_else(|| panic!("{name} was released, and is no message any more"));
        assert_eq!(message.is_read_from(&bytes), Ok(true), "{name}");
    }
}

#[test]
fn names_are_unique_and_frames_state_their_length() {
    let golden = golden();
    for (at, (name, bytes)) in golden.iter().enumerate() {
        assert!(golden[..at].iter().all(|(earlier, _)| earlier != name), "{name} is there twice");
        if name.contains("Hello") || name.contains("Preface") {
            assert_eq!(bytes.len(), if name.contains("Hello") { 64 } else { 32 }, "{name}");
            continue;
        }
        let (length, body) = bytes.split_first_chunk().expect("a frame begins with its length");
        assert_eq!(frame::body_bytes(*length, u32::MAX), Ok(body.len()), "{name}");
    }
}
