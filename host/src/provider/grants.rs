//! What a provider asks of the world: the host checks it, opens it and hands the descriptor over. The one place where
//! anything is handed to a provider while it runs; the rule is in [`crate::grants`], files are in `granted_files.rs`.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::Deadline;
use cofferdam_channel::lane::Region;
use cofferdam_channel::protocol::control::{Refusal, Want};

use super::authority::Authority;
use super::granted_files;
use super::handed::Handed;
use super::hidden::Hidden;
use crate::grants::{Act, Denial, Named};
use crate::words::{Access, Address, AuditEvent, Brief, Cover, NetHost, needs_its_own_grant};

/// A request takes no longer than this, whatever the provider says.
const TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// What became of a request.
pub(super) type Granted = Result<OwnedFd, (Refusal, String)>;

/// Who asks: one process of a provider.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) authority: Authority,
    pub(super) handed: Arc<Handed>,
    pub(super) hidden: Hidden,
    /// Whether Landlock keeps the process from opening again what it was given.
    pub(super) landlock: bool,
    /// The lanes in which it calls actors.
    pub(super) mailboxes: Option<Arc<Region>>,
}

/// How long the request may take, looking up names included, before its answer is too late.
pub(super) fn time_for(want: &Want) -> Duration {
    match want {
        Want::Connect { deadline_ns, .. } => Deadline::from_monotonic_ns(*deadline_ns).remaining().min(TIMEOUT_MAX),
        Want::Listen { .. } | Want::File { .. } | Want::Mailbox { .. } => TIMEOUT_MAX,
    }
}

/// Checks a request, carries it out, and tells the audit log. Blocks: not for an event loop's thread.
pub(super) fn grant(want: &Want, asker: &Asker) -> Granted {
    let granted = match want {
        Want::Listen { address } => listen(address, asker),
        Want::Connect { address, deadline_ns } => connect(address, Deadline::from_monotonic_ns(*deadline_ns), asker),
        Want::File { name, writable } => file(name, if *writable { Access::Write } else { Access::Read }, asker),
        // Nothing of the world.
        Want::Mailbox { number } => return mailbox(*number, asker),
    };
    record(want, &granted, &asker.authority);
    granted
}

/// Whether the provider may have it: by its links of this moment, its grants and what its archive states.
fn check<T>(allowed: Result<T, Denial>, asker: &Asker) -> Result<T, (Refusal, String)> {
    allowed.map_err(|denial| {
        asker.handed.denied(&denial, &asker.authority);
        // The lines of the manifest are for the operator, who gets them from the host itself.
        (Refusal::Denied, format!("{} is not granted", denial.what()))
    })
}

fn listen(address: &str, asker: &Asker) -> Granted {
    let Asker { authority, handed, .. } = asker;
    let asked = parsed(address)?;
    let Some(socket) = asked.socket() else {
        return Err((Refusal::Invalid, format!("{address:?} has a name; give an IP address to listen on")));
    };
    check(authority.address(Act::Listen, &asked), asker)?;
    handed.make_way(&asked, authority);
    let listener = TcpListener::bind(socket)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| (Refusal::Failed, format!("listening on {asked}: {error}")))?;
    let given = handed.listener(&asked, listener)?;
    // A link may have gone meanwhile, and what it gave was taken back before this was there.
    let still = check(authority.address(Act::Listen, &asked), asker);
    if still.is_err() {
        handed.review(authority);
    }
    still.map(|_| given)
}

fn connect(address: &str, deadline: Deadline, asker: &Asker) -> Granted {
    let asked = parsed(address)?;
    let cover = check(asker.authority.address(Act::Connect, &asked), asker)?;
    let deadline = deadline.min(Deadline::after(TIMEOUT_MAX));
    let failed = |error: io::Error| {
        let late = matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
        let refusal = if late { Refusal::Late } else { Refusal::Failed };
        (refusal, format!("connecting to {asked}: {error}"))
    };
    let mut last = io::Error::other("the name has no addresses");
    for candidate in candidates(&asked).map_err(failed)? {
        let left = deadline.remaining();
        if left.is_zero() {
            last = io::ErrorKind::TimedOut.into();
            break;
        }
        // Whoever owns a name decides where it leads; who granted all names did not mean this machine.
        if cover == Cover::Wildcard && needs_its_own_grant(candidate.ip()) {
            last = io::Error::other(format!("it leads to {}, which a wildcard does not grant", candidate.ip()));
            continue;
        }
        match TcpStream::connect_timeout(&candidate, left) {
            Ok(stream) => return Ok(stream.into()),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn candidates(asked: &Address) -> io::Result<Vec<SocketAddr>> {
    match &asked.host {
        NetHost::Ip(ip) => Ok(vec![SocketAddr::new(*ip, asked.port)]),
        NetHost::Name(name) => Ok((name.as_str(), asked.port).to_socket_addrs()?.collect()),
    }
}

fn file(name: &str, access: Access, asker: &Asker) -> Granted {
    let failed = |error: io::Error| (Refusal::Failed, format!("opening {name:?}: {error}"));
    match check(asker.authority.allowance().named(name, access), asker)? {
        Named::Secret(secret) => {
            let value = granted_files::read_secret(&secret.from).map_err(failed)?;
            asker.hidden.hide_text(&String::from_utf8_lossy(&value));
            granted_files::sealed(&value).map_err(failed)
        }
        Named::File(_) if !asker.landlock => check(Err(Denial::no_landlock(name)), asker),
        Named::File(file) => granted_files::open(&file.path, access).map_err(failed),
    }
}

fn mailbox(number: u32, asker: &Asker) -> Granted {
    let none = || (Refusal::Invalid, "it has no lanes in which it calls actors".to_owned());
    let opened = asker.mailboxes.as_ref().ok_or_else(none)?.open_mailbox(number);
    opened.map_err(|error| (Refusal::Invalid, error.to_string()))
}

fn parsed(address: &str) -> Result<Address, (Refusal, String)> {
    address.parse().map_err(|error| (Refusal::Invalid, format!("{address:?} is no address: {error}")))
}

/// What is handed out, and what is denied, is in the audit log. What was granted and then failed is neither.
fn record(want: &Want, granted: &Granted, authority: &Authority) {
    let (provider, link) = authority.subject();
    let (want, subject) = match want {
        Want::Listen { address } => ("listen", shown(address)),
        Want::Connect { address, .. } => ("connect", shown(address)),
        Want::File { name, .. } => {
            let is_secret = authority.allowance().secrets().iter().any(|secret| secret.name == *name);
            (if is_secret { "secret" } else { "file" }, Brief::from(name))
        }
        Want::Mailbox { .. } => return,
    };
    let (want, count) = (Brief::from(want), 1);
    match granted {
        Ok(_) => authority.auditor().record(AuditEvent::Granted { provider, link, want, subject, count }),
        Err((Refusal::Denied, reason)) => {
            let reason = Brief::from(reason);
            authority.auditor().record(AuditEvent::GrantRefused { provider, link, want, subject, reason, count });
        }
        Err(_) => {}
    }
}

/// An address in its one form; anything else that was said in its place is not repeated.
fn shown(address: &str) -> Brief {
    address.parse::<Address>().map_or_else(|_| Brief::from("no address"), |address| Brief::from(address.to_string()))
}
