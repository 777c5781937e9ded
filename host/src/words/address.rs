//! Addresses as operators grant them and providers ask for them, in one normal form each, so that two texts for the same
//! address compare alike. Nothing here looks a name up.
//!
//! A host is an IPv4 address, an IPv6 address in brackets, or a name. An IPv6 address that stands for an IPv4 one is that.
//! Names are ASCII, in any case, with or without the dot at their end. What some systems read as a number, such as `127.1`
//! or `0x7f.1`, is no name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

/// The longest name, as DNS has it.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A host, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetHost {
    /// By number.
    Ip(IpAddr),
    /// By name, in lower case and without a dot at its end.
    Name(String),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The host.
    pub host: NetHost,
    /// The port; 0 is any free one to listen on.
    pub port: u16,
}

/// Which addresses are meant: `HOST:PORT`, where the host may be `*` or `*.NAME`, and the port `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressPattern {
    host: HostPattern,
    /// None is any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum HostPattern {
    /// This one.
    Exactly(NetHost),
    /// Every name below this one.
    Below(String),
    /// Every one.
    Any,
}

/// How an address is covered by a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    /// By a wildcard for its host: whoever wrote it did not name the host.
    Wildcard,
    /// By its host.
    Host,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// No port.
    #[error("it has no port; an address is HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080")]
    NoPort,
    /// The port is none.
    #[error("its port is no number from 0 to 65535")]
    BadPort,
    /// An IPv6 address without brackets, or with a zone.
    #[error("an IPv6 address stands in brackets and has no zone, as in [::1]:8080")]
    BadIpv6,
    /// No host that can be looked up.
    #[error("its host is neither an IP address nor a name of letters, digits, `-` and `_`")]
    BadHost,
    /// A host that some systems read as a number.
    #[error("its host ends in a number and is no IPv4 address of four numbers")]
    OddNumber,
    /// A wildcard where none can stand.
    #[error("a wildcard is the whole host (`*:443`), its first label (`*.example.com:443`) or the whole port")]
    BadWildcard,
}

impl FromStr for NetHost {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(AddressError::BadIpv6)?;
            let ip: Ipv6Addr = inner.parse().map_err(|_| AddressError::BadIpv6)?;
            return Ok(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        if text.contains(':') {
            return Err(AddressError::BadIpv6);
        }
        match text.parse::<Ipv4Addr>() {
            Ok(ip) => Ok(Self::Ip(ip.into())),
            Err(_) => name(text).map(Self::Name),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = halves(text)?;
        if text.contains('*') {
            return Err(AddressError::BadWildcard);
        }
        Ok(Self { host: host.parse()?, port: port_of(port)? })
    }
}

impl FromStr for AddressPattern {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = halves(text)?;
        let host = match host.strip_prefix("*.") {
            _ if host == "*" => HostPattern::Any,
            Some(below) if !below.contains('*') => HostPattern::Below(name(below)?),
            _ if host.contains('*') => return Err(AddressError::BadWildcard),
            _ => HostPattern::Exactly(host.parse()?),
        };
        let port = match port {
            "*" => None,
            port if port.contains('*') => return Err(AddressError::BadWildcard),
            port => Some(port_of(port)?),
        };
        Ok(Self { host, port })
    }
}

impl AddressPattern {
    /// Whether and how it covers an address. A wildcard for names covers no number.
    pub fn covers(&self, address: &Address) -> Option<Cover> {
        if self.port.is_some_and(|port| port != address.port) {
            return None;
        }
        match (&self.host, &address.host) {
            (HostPattern::Any, _) => Some(Cover::Wildcard),
            (HostPattern::Exactly(host), asked) => (host == asked).then_some(Cover::Host),
            (HostPattern::Below(_), NetHost::Ip(_)) => None,
            (HostPattern::Below(parent), NetHost::Name(asked)) => {
                let below = asked.strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.'));
                below.then_some(Cover::Wildcard)
            }
        }
    }

    /// Whether its host is a name, so that nothing can listen on it.
    pub fn is_of_names(&self) -> bool {
        matches!(self.host, HostPattern::Below(_) | HostPattern::Exactly(NetHost::Name(_)))
    }
}

impl Address {
    /// As the system takes it, where the host is a number.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self.host {
            NetHost::Ip(ip) => Some(SocketAddr::new(ip, self.port)),
            NetHost::Name(_) => None,
        }
    }
}

/// Whether an address that was reached by a wildcard is one that only its own number grants: this machine, its links and
/// what a cloud tells it of itself, and groups.
pub fn needs_its_own_grant(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let this_network = ip.octets()[0] == 0;
            this_network || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast(),
    }
}

/// Host and port, apart.
fn halves(text: &str) -> Result<(&str, &str), AddressError> {
    let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
    if port.ends_with(']') {
        return Err(AddressError::NoPort);
    }
    Ok((host, port))
}

fn port_of(text: &str) -> Result<u16, AddressError> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or(AddressError::BadPort)
}

fn name(text: &str) -> Result<String, AddressError> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let good = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        !label.is_empty() && label.len() <= LABEL_BYTES_MAX && plain
    };
    if text.len() > NAME_BYTES_MAX || !text.split('.').all(good) {
        return Err(AddressError::BadHost);
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let all = |digits: &str, is_digit: fn(&u8) -> bool| digits.bytes().all(|byte| is_digit(&byte));
    if all(last, u8::is_ascii_digit) || hex.is_some_and(|digits| all(digits, u8::is_ascii_hexdigit)) {
        return Err(AddressError::OddNumber);
    }
    Ok(text.to_ascii_lowercase())
}

impl fmt::Display for NetHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Exactly(host) => write!(f, "{host}:")?,
            HostPattern::Below(name) => write!(f, "*.{name}:")?,
            HostPattern::Any => f.write_str("*:")?,
        }
        match self.port {
            Some(port) => write!(f, "{port}"),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests;
