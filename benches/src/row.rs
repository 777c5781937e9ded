//! One row of the result: what was measured, what of the same run it is held against, and what was promised of the two.
//!
//! Every part makes its rows by this one type; whether a promise holds is decided here and nowhere else.

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    #[serde(rename = "µs")]
    Micros,
    #[serde(rename = "ms")]
    Millis,
    #[serde(rename = "/s")]
    PerSecond,
    #[serde(rename = "KiB")]
    Kib,
    #[serde(rename = "ticks")]
    Ticks,
    /// A part of something.
    #[serde(rename = "of 1")]
    Part,
}

/// A floor or a peer, measured in the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) what: String,
    pub(crate) value: f64,
    by: Comparison,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Comparison {
    Ratio,
    Difference,
}

/// What is promised of a row, in its own terms: of the ratio, the difference, or the number itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Promise {
    AtMost(f64),
    AtLeast(f64),
}

/// One promise, or a number next to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) ours: f64,
    /// None where the number itself is the result.
    pub(crate) peer: Option<Peer>,
    /// None where nothing is promised.
    pub(crate) promise: Option<Promise>,
}

impl Row {
    /// A number, of which nothing is promised yet.
    pub(crate) fn new(what: impl Into<String>, unit: Unit, ours: f64) -> Self {
        Self { what: what.into(), unit, ours, peer: None, promise: None }
    }

    /// Its ratio to a peer is the result.
    pub(crate) fn against(self, peer: impl Into<String>, value: f64) -> Self {
        Self { peer: Some(Peer { what: peer.into(), value, by: Comparison::Ratio }), ..self }
    }

    /// What is beyond a floor is the result.
    pub(crate) fn above(self, floor: impl Into<String>, value: f64) -> Self {
        Self { peer: Some(Peer { what: floor.into(), value, by: Comparison::Difference }), ..self }
    }

    pub(crate) fn at_most(self, limit: f64) -> Self {
        Self { promise: Some(Promise::AtMost(limit)), ..self }
    }

    pub(crate) fn at_least(self, limit: f64) -> Self {
        Self { promise: Some(Promise::AtLeast(limit)), ..self }
    }

    /// What the promise is about.
    pub(crate) fn result(&self) -> f64 {
        match &self.peer {
            None => self.ours,
            Some(Peer { value, by: Comparison::Ratio, .. }) => self.ours / value,
            Some(Peer { value, by: Comparison::Difference, .. }) => self.ours - value,
        }
    }

    /// None where the result is a ratio.
    pub(crate) fn result_unit(&self) -> Option<Unit> {
        let is_ratio = self.peer.as_ref().is_some_and(|peer| peer.by == Comparison::Ratio);
        (!is_ratio).then_some(self.unit)
    }

    /// A number that is none keeps no promise.
    pub(crate) fn holds(&self) -> bool {
        match self.promise {
            None => true,
            Some(Promise::AtMost(limit)) => self.result() <= limit,
            Some(Promise::AtLeast(limit)) => self.result() >= limit,
        }
    }

    /// How much of what is promised was used up: 1 is the promise itself, more breaks it. None where nothing is promised.
    pub(crate) fn used(&self) -> Option<f64> {
        Some(match self.promise? {
            // Nothing of nothing.
            Promise::AtMost(limit) if self.result() <= 0.0 && limit >= 0.0 => 0.0,
            Promise::AtMost(limit) => self.result() / limit,
            Promise::AtLeast(limit) => limit / self.result(),
        })
    }
}

impl Unit {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::PerSecond => "/s",
            Self::Kib => "KiB",
            Self::Ticks => "ticks",
            Self::Part => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, Unit};

    #[test]
    fn a_promise_holds_up_to_its_limit() {
        let row = || Row::new("a call", Unit::Micros, 3.0);
        let cases = [
            (row(), true, None),
            (row().at_most(3.0), true, Some(1.0)),
            (row().at_most(2.0), false, Some(1.5)),
            (row().against("a floor", 6.0).at_most(0.5), true, Some(1.0)),
            (row().against("a floor", 6.0).at_least(1.0), false, Some(2.0)),
            (row().above("a floor", 2.0).at_most(1.0), true, Some(1.0)),
            (row().above("a floor", 4.0).at_most(1.0), true, Some(0.0)),
            (Row::new("idle", Unit::Ticks, 0.0).at_most(0.0), true, Some(0.0)),
            (Row::new("idle", Unit::Ticks, 1.0).at_most(0.0), false, Some(f64::INFINITY)),
            (Row::new("nothing", Unit::Micros, f64::NAN).at_most(1.0), false, None),
        ];
        for (row, holds, used) in cases {
            assert_eq!(row.holds(), holds, "{row:?}");
            if row.ours.is_finite() {
                assert_eq!(row.used(), used, "{row:?}");
            }
        }
    }
}
