//! What became of an attempt.

use std::fmt;

use crate::raw::Tried;

/// What became of an attempt.
pub(crate) enum Outcome {
    /// Every way of it was refused; how.
    Refused(String),
    /// It went so far and no further.
    Bounded(String),
    /// It went as far as the attempt dared. The documentation says what stops it in the end, if anything does.
    Unbounded(String),
    /// It got what it must not get.
    Out(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(how) => write!(f, "refused: {how}"),
            Self::Bounded(how) => write!(f, "bounded: {how}"),
            Self::Unbounded(how) => write!(f, "unbounded: {how}"),
            Self::Out(what) => write!(f, "OUT: {what}"),
        }
    }
}

/// Of several ways to do one thing, each must be refused.
pub(crate) fn each<S: AsRef<str>>(ways: impl IntoIterator<Item = (S, Tried)>) -> Outcome {
    let (mut refused, mut out): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (way, tried) in ways {
        match tried {
            Ok(answer) => out.push(format!("{} answered {answer}", way.as_ref())),
            Err(errno) => refused.push(format!("{} {errno:?}", way.as_ref())),
        }
    }
    if out.is_empty() { Outcome::Refused(refused.join(", ")) } else { Outcome::Out(out.join(", ")) }
}

/// For what is refused by the end of the process: getting here is the failure.
pub(crate) fn survived(call: &str, tried: Tried) -> Outcome {
    match tried {
        Ok(answer) => Outcome::Out(format!("{call} answered {answer}")),
        Err(errno) => Outcome::Refused(format!("{call} {errno:?}")),
    }
}
