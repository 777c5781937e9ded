//! One HTTP request over a socket of our own, as `curl` would make it: enough for the demo's answers, and no more.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// GETs a path from loopback and returns the body. Any status but 200 is an error that quotes the answer.
pub(super) fn get(port: u16, path: &str, within: Duration) -> Result<String, String> {
    let by = Instant::now() + within;
    let answer = exchange(port, path, by).map_err(|error| format!("GET {path} on port {port}: {error}"))?;
    let (status, body) = read(&answer).map_err(|what| format!("GET {path} on port {port}: {what}"))?;
    match status {
        200 => Ok(body.to_owned()),
        _ => Err(format!("GET {path} on port {port}: status {status}: {}", body.trim())),
    }
}

fn exchange(port: u16, path: &str, by: Instant) -> std::io::Result<Vec<u8>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, left(by))?;
    stream.set_write_timeout(Some(left(by)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left(by)))?;
        match stream.read(&mut chunk)? {
            0 => return Ok(answer),
            _ if answer.len() as u64 >= ANSWER_BYTES_MAX => {
                return Err(std::io::Error::other("the answer is too long"));
            }
            count => answer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// The time that is left; never zero, which a socket would take for no limit.
fn left(by: Instant) -> Duration {
    by.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Status and body of a whole answer; half of one is an error.
fn read(answer: &[u8]) -> Result<(u16, &str), String> {
    let text = std::str::from_utf8(answer).map_err(|_| "the answer is not text")?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the connection ended before the answer did")?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default().split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("the answer has no status: {head:?}"))?;
    let length = lines.filter_map(|line| line.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case("content-length"));
    let expected: usize = length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(body.len());
    if expected != body.len() {
        return Err(format!("the body has {} of {expected} bytes", body.len()));
    }
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::read;

    /// An answer, and what is read from it.
    type Case<'a> = (&'a str, Result<(u16, &'a str), &'a str>);

    #[test]
    fn whole_answers_are_read_and_halves_are_not() {
        let cases: &[Case<'_>] = &[
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Ok((200, "hi"))),
            ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", Ok((502, ""))),
            ("HTTP/1.1 204 No Content\r\n\r\n", Ok((204, ""))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi", Err("the body has 2 of 3 bytes")),
            ("HTTP/1.1 200 OK\r\ncontent-le", Err("the connection ended before the answer did")),
            ("", Err("the connection ended before the answer did")),
            ("nonsense\r\n\r\n", Err("the answer has no status: \"nonsense\"")),
        ];
        for (answer, expected) in cases {
            let expected = expected.map_err(str::to_owned);
            assert_eq!(read(answer.as_bytes()), expected, "{answer:?}");
        }
    }
}
