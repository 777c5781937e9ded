//! `docs/protocol.md` against the code: limits, tags and the bytes of its example.

use cofferdam_protocol::limits::*;
use cofferdam_protocol::{Features, Preface, Side};

#[expect(dead_code, reason = "nothing is read back here")]
mod samples;

use samples::Message;

const PAGE: &str = include_str!("../../docs/protocol.md");

fn states(row: &str) {
    assert!(PAGE.lines().any(|line| line.starts_with(row)), "docs/protocol.md has no row {row:?}");
}

/// The part of the page between two of its lines.
fn part(from: &str, to: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(from).unwrap_or_else(|| panic!("docs/protocol.md has no {from:?}"));
    rest.split_once(to).unwrap_or_else(|| panic!("docs/protocol.md has no {to:?}")).0
}

#[test]
fn the_page_states_every_limit() {
    let limits = [
        ("CONTROL_FRAME_BYTES_MAX", CONTROL_FRAME_BYTES_MAX as usize),
        ("CALL_HEADER_BYTES_MAX", CALL_HEADER_BYTES_MAX),
        ("PAYLOAD_BYTES_MAX", PAYLOAD_BYTES_MAX as usize),
        ("PAYLOAD_BYTES_DEFAULT", PAYLOAD_BYTES_DEFAULT as usize),
        ("OPERATION_BYTES_MAX", OPERATION_BYTES_MAX),
        ("ACTOR_BYTES_MAX", ACTOR_BYTES_MAX),
        ("WORDS_BYTES_MAX", WORDS_BYTES_MAX),
        ("NAME_BYTES_MAX", NAME_BYTES_MAX),
        ("ADDRESS_BYTES_MAX", ADDRESS_BYTES_MAX),
        ("PATH_BYTES_MAX", PATH_BYTES_MAX),
        ("SETTINGS_MAX", SETTINGS_MAX),
        ("SETTING_VALUE_BYTES_MAX", SETTING_VALUE_BYTES_MAX),
        ("DIRS_MAX", DIRS_MAX),
        ("PORTS_MAX", PORTS_MAX),
        ("DESCRIPTORS_MAX", DESCRIPTORS_MAX),
        ("RECORD_BYTES_MAX", RECORD_BYTES_MAX),
        ("MODULES_MAX", MODULES_MAX),
        ("FRAMES_MAX", FRAMES_MAX),
        ("CALLS_MAX", CALLS_MAX as usize),
        ("BINDS_MAX", BINDS_MAX),
        ("ASKS_MAX", ASKS_MAX),
    ];
    for (name, value) in limits {
        states(&format!("| `{name}` | {value} |"));
    }
    let constants = include_str!("../src/limits.rs").lines().filter(|line| line.starts_with("pub const"));
    assert_eq!(constants.count(), limits.len(), "a limit is missing here, and perhaps on the page");
}

#[test]
fn the_page_states_every_tag() {
    let calls = part("## 5. Calls", "## 6.");
    let to_shim = part("From the host to the shim:", "From the shim to the host:");
    let to_host = part("From the shim to the host:", "## 7.");
    for (name, message) in samples::all() {
        let bytes = message.to_bytes();
        // The tag of the message follows the length; that of a nested variant lies at a place of its own.
        let (section, nested_at) = match message {
            Message::Call(..) => (calls, 16),
            Message::FromHost(_) => (to_shim, 16),
            Message::FromShim(_) if name.starts_with("ShimMessage::NotLoaded") => (to_host, 8),
            Message::FromShim(_) => (to_host, 16),
            Message::Preface(_) | Message::HostHello(_) | Message::ShimHello(_) => continue,
        };
        let variant = |name: &str| name.rsplit("::").next().and_then(|name| name.split(' ').next()).map(str::to_owned);
        let mut names = name.splitn(2, ' ');
        let outer = names.next().and_then(variant).expect("a name");
        let row = format!("| {} | `{outer}` |", bytes[4]);
        assert!(section.contains(&row), "docs/protocol.md has no row {row:?}");
        if let Some(nested) = names.next().filter(|name| name.contains("::")).and_then(variant) {
            let tag = bytes[nested_at];
            let said = [format!("| {tag} | `{nested}` |"), format!("{tag} `{nested}`")];
            assert!(said.iter().any(|said| section.contains(said)), "docs/protocol.md does not say {said:?}");
        }
    }
}

#[test]
fn the_page_states_the_magic_and_shows_real_bytes() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let preface = Preface::ours(Side::Host, Features::NONE, 0).to_bytes();
    states(&format!("| 0 | 8 | magic: `{}` |", hex(&preface[..8])));

    let (_, example) = PAGE.split_once("## 12. Example").expect("the page has an example");
    let example = example.replace('…', " ");
    let shown =
        example.lines().filter_map(|line| line.get(..47)).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let shown: Vec<_> =
        shown.filter(|line| line.iter().all(|word| word.len() == 2)).map(|line| line.join(" ")).collect();
    let samples = samples::all();
    let real: Vec<_> = ["CallHeader::Request", "CallHeader::Reply"]
        .iter()
        .flat_map(|name| samples.iter().find(|(sample, _)| sample == name))
        .map(|(_, message)| hex(&message.to_bytes()))
        .collect();
    assert!(shown.len() > 8, "{shown:?}");
    for line in shown.iter().filter(|line| !line.is_empty()) {
        assert!(real.iter().any(|real| real.contains(line)), "no message has the bytes {line}");
    }
}
