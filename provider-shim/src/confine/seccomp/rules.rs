//! What a rule can say of a system call.

use seccompiler::{BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

/// How many calls of one number are let through.
pub(super) enum Which {
    /// All.
    All,
    /// Those whose argument at this place is one of these.
    OneOf(u8, &'static [u64]),
    /// Those whose argument at this place has none of these bits.
    Without(u8, u64),
    /// Those whose arguments at these places are zero.
    Zero(&'static [u8]),
    /// Those whose two arguments at these places are one of these pairs.
    Pairs(u8, u8, &'static [(u64, u64)]),
    /// Those sent to nobody in particular (argument 4 is no address) and without these bits in argument 3.
    Unaddressed(u64),
    /// Those of this process: its id at argument 0.
    OfThisProcess,
    /// Those for which all of one of these lists is so.
    Any(&'static [&'static [Where]]),
}

/// What can be so of one argument.
pub(super) enum Where {
    /// It is this number.
    Is(u8, u64),
    /// It is not this number.
    IsNot(u8, u64),
    /// Of these bits (first) it has these (second).
    Bits(u8, u64, u64),
}

type Rules = Vec<SeccompRule>;

/// The rules for it; none means that all calls match.
pub(super) fn rules(which: &Which) -> Result<Rules, BackendError> {
    Ok(match which {
        Which::All => Vec::new(),
        Which::OneOf(place, values) => {
            values.iter().map(|&value| rule(&[equal(*place, value)?])).collect::<Result<_, _>>()?
        }
        Which::Without(place, bits) => vec![rule(&[masked(*place, *bits, 0)?])?],
        Which::Zero(places) => {
            let zeros = places.iter().map(|&place| zero(place)).collect::<Result<Vec<_>, _>>()?;
            vec![rule(&zeros)?]
        }
        Which::Pairs(first, second, pairs) => {
            pairs.iter().map(|&(a, b)| rule(&[equal(*first, a)?, equal(*second, b)?])).collect::<Result<_, _>>()?
        }
        Which::Unaddressed(bits) => vec![rule(&[masked(3, *bits, 0)?, zero(4)?])?],
        Which::OfThisProcess => vec![rule(&[equal(0, std::process::id().into())?])?],
        Which::Any(lists) => lists.iter().map(|list| rule(&conditions(list)?)).collect::<Result<_, _>>()?,
    })
}

fn conditions(list: &[Where]) -> Result<Vec<SeccompCondition>, BackendError> {
    let condition = |part: &Where| match *part {
        Where::Is(place, value) => equal(place, value),
        Where::IsNot(place, value) => {
            SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value & u64::from(u32::MAX))
        }
        Where::Bits(place, mask, value) => masked(place, mask, value),
    };
    list.iter().map(condition).collect()
}

fn rule(conditions: &[SeccompCondition]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.to_vec())
}

/// A number the kernel takes as an `int`: it does not look at the upper half of the register, and nor may we.
fn equal(place: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value & u64::from(u32::MAX))
}

/// Flags the kernel takes as an `int`.
fn masked(place: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

/// A pointer that is none, or a whole register of zeros.
fn zero(place: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}
