//! What our program answers is what two filters of `seccompiler` answer that are made of the same lists, one after the
//! other, of which the kernel takes the strictest answer.

use std::collections::{BTreeMap, BTreeSet};

use libc::{seccomp_data, sock_filter};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::rules::{Test, Where, Which, Word};
use super::{Answer, alarming, allowed, answers, program};

/// Numbers beyond those that any kernel has, and those of x32.
const NUMBERS: u32 = 1100;
const X32: u32 = 0x4000_0000;

#[test]
fn it_answers_as_the_lists_say() {
    for network in [false, true] {
        let ours = program::write(&answers(network));
        assert!(ours.len() < 4096, "the kernel takes no more");
        let theirs = [first(), second(network)];
        let answers = answers(network);
        for number in (0..NUMBERS).chain(X32..X32 + NUMBERS).chain([X32 - 1, u32::MAX]) {
            for args in arguments(answers.get(&number)) {
                let call =
                    seccomp_data { nr: number.cast_signed(), arch: program::MACHINE, instruction_pointer: 0, args };
                let expected = theirs.iter().map(|program| run(program, &call)).min_by_key(strictness);
                assert_eq!(Some(run(&ours, &call)), expected, "call {number} with {args:x?}, network: {network}");
            }
        }
    }
}

#[test]
fn calls_of_other_machines_end_the_process() {
    const I386: u32 = 0x4000_0003;
    for arch in [I386, 0, u32::MAX] {
        let call = seccomp_data { nr: 0, arch, instruction_pointer: 0, args: [0; 6] };
        assert_eq!(run(&program::write(&answers(false)), &call), libc::SECCOMP_RET_KILL_PROCESS, "{arch:x}");
    }
}

#[test]
fn the_search_is_right_at_its_edges() {
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    let (allow, trap) = (libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_TRAP);
    // So many that a jump over half of them does not fit into one instruction.
    let many = (0..2000).map(|number| (number * 2 + 1, [Answer::Allow, Answer::Trap][number as usize % 2].clone()));
    for (table, checks) in [
        (BTreeMap::new(), vec![(0, unknown), (7, unknown)]),
        ([(0, Answer::Allow)].into(), vec![(0, allow), (1, unknown)]),
        ([(5, Answer::Trap), (6, Answer::Allow)].into(), vec![(4, unknown), (5, trap), (6, allow), (7, unknown)]),
        (many.collect(), vec![(0, unknown), (1, allow), (2, unknown), (3, trap), (3999, trap), (4000, unknown)]),
    ] {
        let program = program::write(&table);
        for (number, answer) in checks {
            let call = seccomp_data { nr: number, arch: program::MACHINE, instruction_pointer: 0, args: [0; 6] };
            assert_eq!(run(&program, &call), answer, "{number} of {} numbers", table.len());
        }
    }
}

/// Arguments on both sides of all that is tested of a call, in all combinations; the others are garbage.
fn arguments(answer: Option<&Answer>) -> Vec<[u64; 6]> {
    const GARBAGE: u64 = 0xdead_beef_0bad_cafe;
    let mut values: BTreeMap<u8, BTreeSet<u64>> = BTreeMap::new();
    if let Some(Answer::AllowIf(lists)) = answer {
        for Test { place, word, mask, value, .. } in lists.iter().flatten() {
            let shift = if *word == Word::High { 32 } else { 0 };
            let (mask, value) = (u64::from(*mask), u64::from(*value));
            let near = [0, value, value + 1, value | (mask << 1), value ^ (mask & mask.wrapping_neg()), u64::MAX];
            let dirty = near.map(|near| (near << shift) ^ (7 << (32 - shift)));
            values.entry(*place).or_default().extend(near.map(|near| near << shift).into_iter().chain(dirty));
        }
    }
    let mut combined = vec![[GARBAGE; 6], [0; 6]];
    for (place, values) in values {
        let with = |args: [u64; 6], value| {
            let mut args = args;
            args[usize::from(place)] = value;
            args
        };
        combined = combined.iter().flat_map(|args| values.iter().map(|value| with(*args, *value))).collect();
    }
    combined
}

/// The kernel's order of answers, the strictest first.
fn strictness(answer: &u32) -> usize {
    let order =
        [libc::SECCOMP_RET_KILL_PROCESS, libc::SECCOMP_RET_TRAP, libc::SECCOMP_RET_ERRNO, libc::SECCOMP_RET_ALLOW];
    let action = answer & libc::SECCOMP_RET_ACTION_FULL;
    order.iter().position(|known| *known == action).expect("an answer that is used here")
}

/// Runs a program as the kernel does.
fn run(program: &[sock_filter], call: &seccomp_data) -> u32 {
    let args = call.args.iter().flat_map(|arg| arg.to_le_bytes());
    let head = [call.nr.cast_unsigned(), call.arch, 0, 0];
    let data: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).chain(args).collect();
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |so: bool| usize::from(if so { jt } else { jf });
        match u32::from(code) {
            0x20 => {
                let word = data[k as usize..].first_chunk().expect("a load within the data");
                accumulator = u32::from_le_bytes(*word);
            }
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += jump(accumulator == k),
            0x35 => at += jump(accumulator >= k),
            0x06 => return k,
            other => panic!("an instruction that is not used here: {other:x}"),
        }
    }
}

fn first() -> Vec<sock_filter> {
    let rules = alarming::CALLS.iter().map(|call| (*call, Vec::new())).collect();
    filter(rules, SeccompAction::Allow, SeccompAction::Trap)
}

fn second(network: bool) -> Vec<sock_filter> {
    let rules = allowed::rules(network).map(|(call, which)| (call, oracle(which))).collect();
    filter(rules, SeccompAction::Errno(libc::ENOSYS.cast_unsigned()), SeccompAction::Allow)
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, mismatch: SeccompAction, matched: SeccompAction) -> Vec<sock_filter> {
    let machine = std::env::consts::ARCH.try_into().unwrap();
    let program = BpfProgram::try_from(SeccompFilter::new(rules, mismatch, matched, machine).unwrap()).unwrap();
    program.into_iter().map(|it| sock_filter { code: it.code, jt: it.jt, jf: it.jf, k: it.k }).collect()
}

fn oracle(which: &Which) -> Vec<SeccompRule> {
    let rule = |conditions: &[SeccompCondition]| SeccompRule::new(conditions.to_vec()).unwrap();
    match which {
        Which::All => Vec::new(),
        Which::OneOf(place, values) => values.iter().map(|value| rule(&[equal(*place, *value)])).collect(),
        Which::Without(place, bits) => vec![rule(&[masked(*place, *bits, 0)])],
        Which::Zero(places) => vec![rule(&places.iter().map(|place| zero(*place)).collect::<Vec<_>>())],
        Which::Pairs(first, second, pairs) => {
            pairs.iter().map(|(a, b)| rule(&[equal(*first, *a), equal(*second, *b)])).collect()
        }
        Which::Unaddressed(bits) => vec![rule(&[masked(3, *bits, 0), zero(4)])],
        Which::OfThisProcess => vec![rule(&[equal(0, std::process::id().into())])],
        Which::Any(lists) => lists.iter().map(|list| rule(&list.iter().map(condition).collect::<Vec<_>>())).collect(),
    }
}

fn condition(part: &Where) -> SeccompCondition {
    match *part {
        Where::Is(place, value) => equal(place, value),
        Where::IsNot(place, value) => compare(place, SeccompCmpOp::Ne, value),
        Where::Bits(place, mask, value) => masked(place, mask, value),
    }
}

fn equal(place: u8, value: u64) -> SeccompCondition {
    compare(place, SeccompCmpOp::Eq, value)
}

fn masked(place: u8, mask: u64, value: u64) -> SeccompCondition {
    compare(place, SeccompCmpOp::MaskedEq(mask), value)
}

fn compare(place: u8, operator: SeccompCmpOp, value: u64) -> SeccompCondition {
    SeccompCondition::new(place, SeccompCmpArgLen::Dword, operator, value).unwrap()
}

fn zero(place: u8) -> SeccompCondition {
    SeccompCondition::new(place, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0).unwrap()
}
