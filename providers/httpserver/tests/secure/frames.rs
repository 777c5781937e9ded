//! A client of HTTP/2 that writes its frames by hand (RFC 9113, section 4; RFC 7541 without any compression), for what clients that
//! behave never do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::connect;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GO_AWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
/// Of settings and pings.
pub(crate) const ACK: u8 = 1;
/// Of headers and data.
pub(crate) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error that a reset names, or in its place behind the last stream, that of the end.
    pub(crate) fn error(&self) -> u32 {
        let at = if self.kind == GO_AWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A connection on which settings were exchanged.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// What the server said that it allows, by number.
    pub(crate) settings: Vec<(u16, u32)>,
}

impl Peer {
    /// Begins, with these settings.
    pub(crate) fn new(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut stream = connect(address);
        // No table: then each header is told in full.
        const HEADER_TABLE_SIZE: (u16, u32) = (1, 0);
        let own = [HEADER_TABLE_SIZE]
            .iter()
            .chain(settings)
            .flat_map(|(name, value)| [name.to_be_bytes().as_slice(), value.to_be_bytes().as_slice()].concat());
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &own.collect::<Vec<_>>())].concat()).unwrap();
        let mut peer = Self { stream, settings: Vec::new() };
        let theirs = peer.next_of(SETTINGS).unwrap().payload;
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        let read = |entry: &[u8]| (u16::from_be_bytes([entry[0], entry[1]]), number(&entry[2..]));
        peer.settings = theirs.chunks(6).map(read).collect();
        peer.write(&frame(SETTINGS, ACK, 0, &[]));
        peer
    }

    /// The server may have closed, which is what is read then.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// A GET.
    pub(crate) fn get(&mut self, stream: u32, path: &str) {
        self.write(&headers(stream, END_STREAM, &get(path)));
    }

    /// The next frame; pings are answered. None at the end.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            match self.stream.read_exact(&mut head) {
                Ok(()) => {}
                Err(error) => {
                    let timed_out = matches!(error.kind(), std::io::ErrorKind::WouldBlock);
                    assert!(!timed_out, "the server neither says anything nor closes");
                    return None;
                }
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).ok()?;
            let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
            let frame = Frame { kind: head[3], flags: head[4], stream, payload };
            if frame.kind == PING && frame.flags & ACK == 0 {
                let pong = self::frame(PING, ACK, 0, &frame.payload);
                self.write(&pong);
                continue;
            }
            return Some(frame);
        }
    }

    /// The next frame of a kind. None when the connection ends before.
    pub(crate) fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind && (kind != SETTINGS || frame.flags & ACK == 0) {
                return Some(frame);
            }
        }
    }

    /// What becomes of a stream: the status of its answer, or the error of its reset.
    pub(crate) fn outcome(&mut self, stream: u32) -> Result<String, u32> {
        loop {
            let frame = self.next().expect("the connection goes on");
            match frame.kind {
                HEADERS if frame.stream == stream => return Ok(status(&frame.payload)),
                RST_STREAM if frame.stream == stream => return Err(frame.error()),
                GO_AWAY => panic!("the connection ends with error {}", frame.error()),
                _ => {}
            }
        }
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn get(path: &str) -> Vec<(String, String)> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", path)];
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Headers, in as many frames as they take.
pub(crate) fn headers(stream: u32, flags: u8, fields: &[(String, String)]) -> Vec<u8> {
    const CONTINUATION: u8 = 9;
    let block: Vec<u8> =
        fields.iter().flat_map(|(name, value)| [&[0][..], &text(name), &text(value)].concat()).collect();
    let mut pieces = block.chunks(16 * 1024).peekable();
    let (mut frames, mut kind, mut flags) = (Vec::new(), HEADERS, flags);
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        frames.extend(frame(kind, flags | end, stream, piece));
        (kind, flags) = (CONTINUATION, 0);
    }
    frames
}

/// A text as it is, behind its length (RFC 7541, section 5.1).
fn text(text: &str) -> Vec<u8> {
    let mut length = Vec::new();
    let mut left = text.len();
    if left < 127 {
        length.push(left as u8);
    } else {
        length.push(127);
        left -= 127;
        while left >= 128 {
            length.push(128 | (left % 128) as u8);
            left /= 128;
        }
        length.push(left as u8);
    }
    [&length, text.as_bytes()].concat()
}

/// The status comes first, either as an entry of the static table (RFC 7541, appendix A) or as a literal with that name.
fn status(block: &[u8]) -> String {
    const STATIC: [&str; 7] = ["200", "204", "206", "304", "400", "404", "500"];
    // A change of the table's size may come before it.
    let block = &block[block.iter().take_while(|byte| *byte & 0xe0 == 0x20).count()..];
    match block[0] {
        indexed @ 0x88..=0x8e => STATIC[usize::from(indexed - 0x88)].to_owned(),
        _ if block[1] & 0x80 != 0 => huffman_digits(&block[2..2 + usize::from(block[1] & 0x7f)]),
        _ => String::from_utf8_lossy(&block[2..2 + usize::from(block[1])]).into_owned(),
    }
}

/// Digits, of which 0, 1 and 2 have five bits and the others six (RFC 7541, appendix B).
fn huffman_digits(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0_u8, |number, bit| number << 1 | bit);
    let (mut digits, mut at) = (String::new(), 0);
    while at + 5 <= bits.len() {
        let five = number(&bits[at..at + 5]);
        if five < 3 {
            digits.push(char::from(b'0' + five));
            at += 5;
        } else if at + 6 <= bits.len() && (0x19..=0x1f).contains(&number(&bits[at..at + 6])) {
            digits.push(char::from(b'3' + number(&bits[at..at + 6]) - 0x19));
            at += 6;
        } else {
            break;
        }
    }
    digits
}
