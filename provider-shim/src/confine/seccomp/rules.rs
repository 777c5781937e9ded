//! What a rule can say of a system call.

use super::program::Answer;

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

/// Half an argument, compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// Which argument.
    pub(super) place: u8,
    /// Which half of it.
    pub(super) word: Word,
    /// The bits that are looked at.
    pub(super) mask: u32,
    /// What they are compared with.
    pub(super) value: u32,
    /// Whether they are to be that, or not.
    pub(super) wanted: bool,
}

/// A half of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Low,
    High,
}

/// What is answered to the calls of such a number.
pub(super) fn answer(which: &Which) -> Answer {
    Answer::AllowIf(match which {
        Which::All => return Answer::Allow,
        Which::OneOf(place, values) => values.iter().map(|&value| vec![equal(*place, value)]).collect(),
        Which::Without(place, bits) => vec![vec![masked(*place, *bits, 0)]],
        Which::Zero(places) => vec![places.iter().flat_map(|&place| zero(place)).collect()],
        Which::Pairs(first, second, pairs) => {
            pairs.iter().map(|&(a, b)| vec![equal(*first, a), equal(*second, b)]).collect()
        }
        Which::Unaddressed(bits) => {
            let [low, high] = zero(4);
            vec![vec![masked(3, *bits, 0), low, high]]
        }
        Which::OfThisProcess => vec![vec![equal(0, std::process::id().into())]],
        Which::Any(lists) => lists.iter().map(|list| list.iter().map(test).collect()).collect(),
    })
}

fn test(part: &Where) -> Test {
    match *part {
        Where::Is(place, value) => equal(place, value),
        Where::IsNot(place, value) => Test { wanted: false, ..equal(place, value) },
        Where::Bits(place, mask, value) => masked(place, mask, value),
    }
}

/// A number the kernel takes as an `int`: it does not look at the upper half of the register, and nor may we.
fn equal(place: u8, value: u64) -> Test {
    Test { place, word: Word::Low, mask: u32::MAX, value: value as u32, wanted: true }
}

/// Flags the kernel takes as an `int`.
fn masked(place: u8, mask: u64, value: u64) -> Test {
    Test { place, word: Word::Low, mask: mask as u32, value: value as u32, wanted: true }
}

/// A pointer that is none, or a whole register of zeros.
fn zero(place: u8) -> [Test; 2] {
    [Word::Low, Word::High].map(|word| Test { place, word, mask: u32::MAX, value: 0, wanted: true })
}
