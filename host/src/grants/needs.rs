//! The need of an address, as an archive states it, and the address that the values of a link make of it.
//!
//! A link value that is named has to come from the operator. What an archive says in its place, by a default or as it
//! stands, is bounded: it may be a port, and to listen on, a loopback address. Otherwise an archive could have itself
//! granted what no operator wrote.

use std::fmt;
use std::net::IpAddr;

use cofferdam_claims::{AddressHalves, NeededAddress};

use super::{Act, AllowanceError, Values};
use crate::words::{Address, AddressPattern, NetHost, is_env_name};

/// The longest text of a need.
const TEXT_BYTES_MAX: usize = 320;

/// Values of this kind come from an actor's claims, not from the operator.
const NOT_THE_OPERATORS: &str = "__wasmcloud_";

/// The need of an address.
#[derive(Clone, Debug)]
pub(super) enum Stated {
    /// Without a link value.
    AsItStands(AddressPattern),
    /// With one.
    Linked { host: Half, port: Half },
}

/// One half of an address.
#[derive(Clone, Debug)]
pub(super) struct Half {
    /// The link value that it names.
    value: Option<String>,
    /// What it is without.
    fixed: Option<String>,
}

impl Stated {
    /// Reads a need and checks it.
    pub(super) fn of(act: Act, needed: &NeededAddress) -> Result<Self, AllowanceError> {
        let halves = match needed {
            NeededAddress::Whole(text) => {
                let pattern = text.parse::<AddressPattern>();
                let pattern = pattern.map_err(|error| AllowanceError::bad_need(text, error.to_string()))?;
                return Self::as_it_stands(act, pattern);
            }
            NeededAddress::Halves(halves) => halves,
        };
        let shown = format!("{}:{}", halves.address, halves.port);
        let wrong = |why: &str| AllowanceError::bad_need(&shown, why.to_owned());
        let AddressHalves { address, port } = halves;
        let half = |text| Half::of(text).map_err(&wrong);
        let (host, port) = (half(address)?, half(port)?);
        if let Some(fixed) = &port.fixed
            && fixed.parse::<u16>().is_err()
            && (port.value.is_some() || fixed != "*")
        {
            return Err(wrong("its port is no number from 0 to 65535"));
        }
        if host.value.is_none() && port.value.is_none() {
            let whole = bracketed(address) + ":" + &halves.port;
            let pattern = whole.parse::<AddressPattern>().map_err(|error| wrong(&error.to_string()))?;
            return Self::as_it_stands(act, pattern);
        }
        match (act, &host.fixed) {
            (Act::Listen, Some(fixed)) if !loopback(fixed) => {
                Err(wrong("what is listened on without a link value is a loopback address, such as 127.0.0.1"))
            }
            (Act::Connect, Some(_)) => {
                Err(wrong("the host to connect to is a link value without a default, or the whole is HOST:PORT"))
            }
            _ => Ok(Self::Linked { host, port }),
        }
    }

    fn as_it_stands(act: Act, pattern: AddressPattern) -> Result<Self, AllowanceError> {
        if act == Act::Listen && pattern.is_of_names() {
            return Err(AllowanceError::ListensOnName { address: pattern.to_string() });
        }
        Ok(Self::AsItStands(pattern))
    }

    /// Whether link values decide it.
    pub(super) const fn is_linked(&self) -> bool {
        matches!(self, Self::Linked { .. })
    }

    /// Whether it covers the address without a link.
    pub(super) fn covers(&self, asked: &Address) -> bool {
        matches!(self, Self::AsItStands(pattern) if pattern.covers(asked).is_some())
    }

    /// The one address that the values of a link make of it.
    pub(super) fn by_link(&self, act: Act, values: &Values) -> Option<Address> {
        let Self::Linked { host, port } = self else { return None };
        let port_set = port.set(values);
        let Some(text) = host.set(values) else {
            // To connect, this is none: a host to connect to has no default.
            let host = host.fixed.as_deref()?.parse().ok()?;
            return Some(Address { host, port: number(port_set.or(port.fixed.as_deref())?)? });
        };
        let whole = whole(act, text, host);
        match (whole, port_set) {
            (Some(whole), None) => Some(whole),
            (Some(whole), Some(port)) => (number(port)? == whole.port).then_some(whole),
            (None, _) => {
                let host = bracketed(text).parse::<NetHost>().ok()?;
                if act == Act::Listen && matches!(host, NetHost::Name(_)) {
                    return None;
                }
                Some(Address { host, port: number(port_set.or(port.fixed.as_deref())?)? })
            }
        }
    }
}

/// An address with its port in one value; where it is listened on, a port by itself, too.
fn whole(act: Act, text: &str, host: &Half) -> Option<Address> {
    if act == Act::Listen
        && let Some(port) = number(text)
    {
        return Some(Address { host: host.fixed.as_deref()?.parse().ok()?, port });
    }
    text.parse::<Address>().ok()
}

impl Half {
    fn of(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err("each half is 1 to 320 bytes long");
        }
        let Some(reference) = text.strip_prefix('$') else {
            let plain = !text.contains(['$', '{', '}']);
            return match plain {
                true => Ok(Self { value: None, fixed: Some(text.to_owned()) }),
                false => Err("a half is a text, or $NAME, ${NAME} or ${NAME:default} as a whole"),
            };
        };
        let (name, default) = match reference.strip_prefix('{') {
            None => (reference, None),
            Some(inner) => {
                let inner = inner.strip_suffix('}').ok_or("${NAME has no } at its end")?;
                inner.split_once(':').map_or((inner, None), |(name, default)| (name, Some(default)))
            }
        };
        if !is_env_name(name) {
            return Err("the name of a link value is of letters, digits and `_`, and begins with no digit");
        }
        if name.starts_with(NOT_THE_OPERATORS) {
            return Err("a value that the host adds to links is not the operator's word");
        }
        Ok(Self { value: Some(name.to_owned()), fixed: default.map(str::to_owned) })
    }

    /// What the operator set.
    fn set<'a>(&self, values: &'a Values) -> Option<&'a str> {
        values.get(self.value.as_ref()?).map(String::as_str)
    }
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok()
}

fn loopback(text: &str) -> bool {
    matches!(bracketed(text).parse(), Ok(NetHost::Ip(ip)) if IpAddr::is_loopback(&ip))
}

/// An IPv6 address needs no brackets where no port follows it.
fn bracketed(text: &str) -> String {
    if text.contains(':') && !text.starts_with('[') { format!("[{text}]") } else { text.to_owned() }
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsItStands(pattern) => write!(f, "{pattern}"),
            Self::Linked { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, &self.fixed) {
            (Some(name), Some(default)) => write!(f, "${{{name}:{default}}}"),
            (Some(name), None) => write!(f, "${name}"),
            (None, fixed) => f.write_str(&bracketed(fixed.as_deref().unwrap_or_default())),
        }
    }
}
