//! Asking a running host. One question at a time; every one has a deadline.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::tokio::{Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, ToFsName};
use tokio::time::timeout;

use super::error::ClientError;
use super::explain::{ExplainReport, ExplainRequest};
use super::line::{self, LineError, LineLimits, LineReader};
use super::protocol::{CallRequest, LINE_BYTES_MAX, Reply, Request};
use super::provider::ProviderRequest;
use super::report::{ProviderReport, PsReport};

/// How long a host may take to be connected to, and to answer `ps`.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a call may take beyond its own time-out, for the two ways.
const CALL_MARGIN: Duration = Duration::from_secs(5);

/// A connection to a running host.
pub struct Client {
    stream: Stream,
    lines: LineReader,
    path: PathBuf,
    pid: Option<u32>,
}

impl Client {
    /// Connects to the host at this socket, which must be run by this user or by root; root may ask anybody's.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let owned = || path.to_owned();
        let name = path
            .to_fs_name::<GenericFilePath>()
            .map_err(|source| ClientError::Unreachable { path: owned(), source })?;
        let connected = timeout(PATIENCE, Stream::connect(name)).await;
        let stream = match connected {
            Err(_) => return Err(ClientError::TooLate { path: owned(), op: "connect", waited: PATIENCE }),
            Ok(Err(source)) => return Err(unconnected(owned(), source)),
            Ok(Ok(stream)) => stream,
        };
        let creds = stream.peer_creds().map_err(|source| ClientError::Unreachable { path: owned(), source })?;
        if !is_believed(creds.euid(), nix::unistd::geteuid().as_raw()) {
            return Err(ClientError::NotOurs { path: owned(), uid: creds.euid().unwrap_or(u32::MAX) });
        }
        let pid = creds.pid().and_then(|pid| u32::try_from(pid).ok());
        Ok(Self { stream, lines: LineReader::default(), path: owned(), pid })
    }

    /// The process that listens on the socket, by the kernel's word; it need not answer for that.
    pub fn server_pid(&self) -> Option<u32> {
        self.pid
    }

    /// What runs.
    pub async fn ps(&mut self) -> Result<PsReport, ClientError> {
        match self.ask(&Request::Ps, PATIENCE).await? {
            Reply::Ps(report) => Ok(report),
            _ => Err(self.another("ps")),
        }
    }

    /// Calls an actor and returns its answer.
    pub async fn call(&mut self, request: CallRequest) -> Result<Vec<u8>, ClientError> {
        let patience = request.timeout().saturating_add(CALL_MARGIN);
        match self.ask(&Request::Call(request), patience).await? {
            Reply::Answer(answer) => Ok(answer),
            _ => Err(self.another("call")),
        }
    }

    /// What a provider may have of the world.
    pub async fn explain(&mut self, request: ExplainRequest) -> Result<ExplainReport, ClientError> {
        match self.ask(&Request::Explain(request), PATIENCE).await? {
            Reply::Explained(report) => Ok(report),
            _ => Err(self.another("explain")),
        }
    }

    /// Restarts, stops, holds or releases a provider, and returns how it stands when that is done.
    pub async fn attend(&mut self, request: ProviderRequest) -> Result<ProviderReport, ClientError> {
        let patience = request.timeout().saturating_add(CALL_MARGIN);
        match self.ask(&Request::Provider(request), patience).await? {
            Reply::Provider(report) => Ok(report),
            _ => Err(self.another("provider")),
        }
    }

    /// Asks the host to drain and end, and returns when it has, at the latest after `within`.
    pub async fn stop(mut self, within: Duration) -> Result<(), ClientError> {
        let Reply::Stopping {} = self.ask(&Request::Stop, PATIENCE).await? else {
            return Err(self.another("stop"));
        };
        let limits = LineLimits { bytes_max: LINE_BYTES_MAX, idle: within, whole: within };
        match self.lines.next(&mut self.stream, limits).await {
            // A reset is an end, too: the host is gone.
            Ok(None) | Err(LineError::Io(_) | LineError::Cut) => Ok(()),
            Ok(Some(_)) => Err(self.another("stop")),
            Err(_) => Err(ClientError::TooLate { path: self.path, op: "stop", waited: within }),
        }
    }

    async fn ask(&mut self, request: &Request, patience: Duration) -> Result<Reply, ClientError> {
        let op = request.op();
        // A host that refuses a line early answers and closes, so a failed write is not the last word.
        let written = line::write(&mut self.stream, &request.to_line(), patience).await;
        let limits = LineLimits { bytes_max: LINE_BYTES_MAX, idle: patience, whole: patience };
        let path = self.path.clone();
        let reply = match (self.lines.next(&mut self.stream, limits).await, written) {
            (Ok(Some(reply)), _) => reply,
            (Err(LineError::Idle(waited) | LineError::TooSlow(waited)), _) => {
                return Err(ClientError::TooLate { path, op, waited });
            }
            (Err(error @ LineError::TooLong(_)), _) => {
                return Err(ClientError::Nonsense { path, op, why: error.to_string() });
            }
            (_, Err(error)) => return Err(ClientError::Lost { path, op, why: error.to_string() }),
            (Ok(None), _) => return Err(ClientError::Lost { path, op, why: "it closed the connection".to_owned() }),
            (Err(error), _) => return Err(ClientError::Lost { path, op, why: error.to_string() }),
        };
        match Reply::from_line(&reply) {
            Ok(Reply::Error(report)) => Err(ClientError::Answered(report)),
            Ok(reply) => Ok(reply),
            Err(why) => Err(ClientError::Nonsense { path, op, why }),
        }
    }

    fn another(&self, op: &'static str) -> ClientError {
        ClientError::Nonsense { path: self.path.clone(), op, why: "it is the answer to something else".to_owned() }
    }
}

/// Whether what this server says is to be believed: somebody else could have put a socket in the host's place.
pub(super) fn is_believed(server: Option<u32>, own: u32) -> bool {
    own == 0 || server.is_some_and(|uid| uid == own || uid == 0)
}

fn unconnected(path: PathBuf, source: io::Error) -> ClientError {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoHost { path, source },
        _ => ClientError::Unreachable { path, source },
    }
}
