//! The values of a link, checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use cofferdam_provider::Link;
use thiserror::Error;

use crate::tls::{CERT, KEY};

/// How one link is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    /// For a whole head to arrive, from the moment that one may; so also how long a connection may idle.
    pub(crate) header_timeout: Duration,
    /// For a whole body to arrive.
    pub(crate) body_timeout: Duration,
    /// For a client to take some of what is written to it.
    pub(crate) write_timeout: Duration,
    /// For the actor to answer.
    pub(crate) call_timeout: Duration,
    pub(crate) connections_max: usize,
    /// The host's payload limit bounds it too.
    pub(crate) body_bytes_max: usize,
    pub(crate) tls: Option<TlsNames>,
    /// For a whole handshake.
    pub(crate) handshake_timeout: Duration,
    pub(crate) handshakes_max: usize,
    /// Whether HTTP/2 is spoken without TLS, too.
    pub(crate) h2c: bool,
}

/// The names of what was granted for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsNames {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// Why a link was refused: the operator's mistake.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum SettingsError {
    #[error("the link value PORT is {0:?}: it is a number from 0 to 65535")]
    Port(String),
    #[error(
        "the link value BIND is {0:?}: it is an address and port (\"0.0.0.0:80\"), an address, or a port; just one"
    )]
    Bind(String),
    #[error("the link values BIND={bind:?} and PORT={port:?} name two ports: leave one out")]
    TwoPorts { bind: String, port: String },
    #[error("the link value {name} is {found:?}: it is a number from 1 to {max}")]
    Number { name: &'static str, found: String, max: u64 },
    #[error("the link value {set} is set and {missing} is not: TLS takes both, the name of a grant each")]
    HalfOfTls { set: &'static str, missing: &'static str },
    #[error(
        "the link value {name} holds PEM itself, which is not repeated here: keys and certificates come by grants, and the link \
         value is the name of one; a key that was in a link is to be replaced"
    )]
    Pem { name: &'static str },
    #[error(
        "the link value {name} is no name of a grant, and not repeated here, for it may be a secret: a name is of 1 to {max} \
         letters, digits, `.`, `_` and `-`", max = GRANT_NAME_BYTES_MAX
    )]
    GrantName { name: &'static str },
    #[error("the link value H2C is {0:?}: it is true or false")]
    H2c(String),
    #[error("the link value H2C is for links without TLS, which agree on HTTP/2 by themselves: leave it out")]
    H2cBesideTls,
}

/// The longest name of a grant, as the host has it.
const GRANT_NAME_BYTES_MAX: usize = 64;

const TIMEOUT_MS_MAX: u64 = 600_000;
const DEFAULT_IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const DEFAULT_PORT: u16 = 8080;

/// The names of link values that mean something here.
const NAMES: [&str; 13] = [
    "BIND",
    "PORT",
    "TIMEOUT_MS",
    "HEADER_TIMEOUT_MS",
    "BODY_TIMEOUT_MS",
    "WRITE_TIMEOUT_MS",
    "CONNECTIONS_MAX",
    "BODY_BYTES_MAX",
    CERT,
    KEY,
    "TLS_HANDSHAKE_TIMEOUT_MS",
    "TLS_HANDSHAKES_MAX",
    "H2C",
];

/// The settings of a link that mean nothing here. The host's own are left out.
pub(crate) fn unknown<'a>(link: &Link<'a>) -> Vec<&'a str> {
    let names = link.values().map(|(name, _)| name);
    names.filter(|name| !NAMES.contains(name) && !name.starts_with("__wasmcloud_")).collect()
}

impl Settings {
    pub(crate) fn of(link: &Link<'_>) -> Result<Self, SettingsError> {
        let timeout = |name, default_ms| number(link, name, default_ms, TIMEOUT_MS_MAX).map(Duration::from_millis);
        let size = |name, default, max| {
            number(link, name, default, max).map(|size| usize::try_from(size).unwrap_or(usize::MAX))
        };
        Ok(Self {
            address: address(link.get("BIND"), link.get("PORT"))?,
            header_timeout: timeout("HEADER_TIMEOUT_MS", 10_000)?,
            body_timeout: timeout("BODY_TIMEOUT_MS", 30_000)?,
            write_timeout: timeout("WRITE_TIMEOUT_MS", 30_000)?,
            call_timeout: timeout("TIMEOUT_MS", 10_000)?,
            connections_max: size("CONNECTIONS_MAX", 1024, 65_536)?,
            body_bytes_max: size("BODY_BYTES_MAX", u64::from(u32::MAX), u64::from(u32::MAX))?,
            tls: tls_names(link.get(CERT), link.get(KEY))?,
            handshake_timeout: timeout("TLS_HANDSHAKE_TIMEOUT_MS", 10_000)?,
            handshakes_max: size("TLS_HANDSHAKES_MAX", 128, 65_536)?,
            h2c: h2c(link)?,
        })
    }
}

fn number(link: &Link<'_>, name: &'static str, default: u64, max: u64) -> Result<u64, SettingsError> {
    let Some(text) = link.get(name) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(SettingsError::Number { name, found: text.into(), max }),
    }
}

fn tls_names(cert: Option<&str>, key: Option<&str>) -> Result<Option<TlsNames>, SettingsError> {
    for (name, value) in [(CERT, cert), (KEY, key)] {
        if let Some(value) = value {
            grant_name(name, value)?;
        }
    }
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsNames { cert: cert.to_owned(), key: key.to_owned() })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(SettingsError::HalfOfTls { set: CERT, missing: KEY }),
        (None, Some(_)) => Err(SettingsError::HalfOfTls { set: KEY, missing: CERT }),
    }
}

/// Whoever puts a key where its name belongs must not find it in an error, nor the host in a question.
fn grant_name(name: &'static str, value: &str) -> Result<(), SettingsError> {
    if value.contains("-----BEGIN") {
        return Err(SettingsError::Pem { name });
    }
    let is_name = (1..=GRANT_NAME_BYTES_MAX).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if is_name { Ok(()) } else { Err(SettingsError::GrantName { name }) }
}

fn h2c(link: &Link<'_>) -> Result<bool, SettingsError> {
    let found = match link.get("H2C") {
        None => return Ok(false),
        Some("true") => true,
        Some("false") => false,
        Some(other) => return Err(SettingsError::H2c(other.into())),
    };
    if found && link.get(CERT).is_some() { Err(SettingsError::H2cBesideTls) } else { Ok(found) }
}

fn address(bind: Option<&str>, port: Option<&str>) -> Result<SocketAddr, SettingsError> {
    let port_number = match port {
        Some(text) => Some(text.parse().map_err(|_| SettingsError::Port(text.into()))?),
        None => None,
    };
    let Some(bind) = bind else {
        return Ok(SocketAddr::new(DEFAULT_IP, port_number.unwrap_or(DEFAULT_PORT)));
    };
    let whole = match bind.parse::<u16>() {
        Ok(port) => Some(SocketAddr::new(DEFAULT_IP, port)),
        Err(_) => bind.parse::<SocketAddr>().ok(),
    };
    match (whole, port_number) {
        (Some(address), None) => Ok(address),
        (Some(address), Some(port)) if address.port() == port => Ok(address),
        (Some(_), Some(_)) => Err(SettingsError::TwoPorts { bind: bind.into(), port: port.unwrap_or_default().into() }),
        (None, port) => {
            let ip = bind.trim_start_matches('[').trim_end_matches(']').parse();
            let ip = ip.map_err(|_| SettingsError::Bind(bind.into()))?;
            Ok(SocketAddr::new(ip, port.unwrap_or(DEFAULT_PORT)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SettingsError, address};

    #[test]
    fn addresses() {
        let cases: [(Option<&str>, Option<&str>, &str); 12] = [
            (None, None, "127.0.0.1:8080"),
            (None, Some("80"), "127.0.0.1:80"),
            (None, Some("0"), "127.0.0.1:0"),
            (Some("9000"), None, "127.0.0.1:9000"),
            (Some("0.0.0.0:80"), None, "0.0.0.0:80"),
            (Some("0.0.0.0:80"), Some("80"), "0.0.0.0:80"),
            (Some("0.0.0.0"), None, "0.0.0.0:8080"),
            (Some("0.0.0.0"), Some("81"), "0.0.0.0:81"),
            (Some("::"), Some("81"), "[::]:81"),
            (Some("[::1]"), Some("81"), "[::1]:81"),
            (Some("[::1]:82"), None, "[::1]:82"),
            (Some("81"), Some("81"), "127.0.0.1:81"),
        ];
        for (bind, port, expected) in cases {
            assert_eq!(address(bind, port).unwrap().to_string(), expected, "{bind:?} {port:?}");
        }
    }

    #[test]
    fn wrong_addresses() {
        let cases = [
            (None, Some("65536"), SettingsError::Port("65536".into())),
            (None, Some(""), SettingsError::Port("".into())),
            (None, Some("http"), SettingsError::Port("http".into())),
            (Some(""), None, SettingsError::Bind("".into())),
            (Some("localhost:80"), None, SettingsError::Bind("localhost:80".into())),
            (Some("127.0.0.1:80,127.0.0.1:81"), None, SettingsError::Bind("127.0.0.1:80,127.0.0.1:81".into())),
            (
                Some("127.0.0.1:80"),
                Some("81"),
                SettingsError::TwoPorts { bind: "127.0.0.1:80".into(), port: "81".into() },
            ),
        ];
        for (bind, port, expected) in cases {
            assert_eq!(address(bind, port).unwrap_err(), expected);
        }
    }
}
