//! What stands between a client and a registry, or for one. Each connection has a turn; when there are no more, the last
//! one is for all that come.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;

/// What becomes of a connection.
#[derive(Clone, Debug)]
pub enum Turn {
    /// It leads to the registry of this address.
    Pass(String),
    /// It leads there, and breaks off when so many bytes have come back.
    Cut(String, usize),
    /// Each request on it is answered by these bytes, and the connection is closed.
    Answer(Vec<u8>),
}

/// A listener on loopback, as long as the process lives.
pub struct Peer {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Turn {
    /// An answer with a body of JSON.
    pub fn status(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        Self::Answer([head.as_bytes(), body].concat())
    }
}

impl Peer {
    /// Listens on a free port.
    pub fn start(turns: Vec<Turn>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        std::thread::spawn(move || {
            for (count, client) in listener.incoming().map_while(Result::ok).enumerate() {
                let turn = turns[count.min(turns.len() - 1)].clone();
                let seen = seen.clone();
                std::thread::spawn(move || serve(client, &turn, &seen));
            }
        });
        Self { address, heads }
    }

    /// Its name in references.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The heads of the requests so far, in lower case.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().clone()
    }
}

/// A client that goes away ends its connection, and that is all.
fn serve(client: TcpStream, turn: &Turn, seen: &Arc<Mutex<Vec<String>>>) {
    match turn {
        Turn::Pass(target) => pass(client, target, usize::MAX, seen),
        Turn::Cut(target, bytes) => pass(client, target, *bytes, seen),
        Turn::Answer(answer) => {
            let mut client = client;
            if note_request(&mut client, seen) {
                let _ = client.write_all(answer);
                let _ = client.shutdown(Shutdown::Write);
                let _ = client.read_to_end(&mut Vec::new());
            }
        }
    }
}

/// Reads one request without a body, and says whether there was one.
fn note_request(client: &mut TcpStream, seen: &Mutex<Vec<String>>) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    seen.lock().push(String::from_utf8_lossy(&head).to_lowercase());
    true
}

fn pass(client: TcpStream, target: &str, bytes_max: usize, seen: &Arc<Mutex<Vec<String>>>) {
    let Ok(server) = TcpStream::connect(target) else { return };
    let (mut from_client, mut to_server) = (&client, &server);
    let (mut from_server, mut to_client) = (&server, &client);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut piece = [0; 16 << 10];
            while let Ok(read @ 1..) = from_client.read(&mut piece) {
                // Heads of requests come in one piece on loopback, and no test pushes what looks like one.
                let text = String::from_utf8_lossy(&piece[..read]).to_lowercase();
                if text.contains(" http/1.1\r\n") {
                    seen.lock().push(text);
                }
                if to_server.write_all(&piece[..read]).is_err() {
                    break;
                }
            }
            let _ = to_server.shutdown(Shutdown::Both);
        });
        let (mut piece, mut left) = ([0; 16 << 10], bytes_max);
        while let Ok(read @ 1..) = from_server.read(&mut piece) {
            let taken = read.min(left);
            left -= taken;
            if to_client.write_all(&piece[..taken]).is_err() || left == 0 {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
}
