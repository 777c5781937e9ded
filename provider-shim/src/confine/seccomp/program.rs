//! The program that the kernel runs at each system call.
//!
//! The number is looked for by halves, not from the front. Each call takes fewer steps so, and above all the start does:
//! when the filter is installed, the kernel tries it for every number there is, to learn which ones it always lets
//! through. `tests.rs` compares what it answers with what `seccompiler` makes of the same lists.

use std::collections::BTreeMap;

use libc::sock_filter;

use super::rules::{Test, Word};

/// What is answered to the calls of one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// They are made.
    Allow,
    /// They end the process, by a signal that tells the number.
    Trap,
    /// Those for which all of one of these lists is so are made; others are not known.
    AllowIf(Vec<Vec<Test>>),
    /// They are not known.
    Unknown,
}

/// `AUDIT_ARCH_*` of `linux/audit.h`.
#[cfg(target_arch = "x86_64")]
pub(super) const MACHINE: u32 = 0xC000_003E;
/// `AUDIT_ARCH_*` of `linux/audit.h`.
#[cfg(target_arch = "aarch64")]
pub(super) const MACHINE: u32 = 0xC000_00B7;

/// Where `struct seccomp_data` of `linux/seccomp.h` has what is looked at, in bytes.
const NUMBER_AT: u32 = 0;
const MACHINE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;
const ARGUMENT_BYTES: u32 = 8;
const HALF_BYTES: u32 = 4;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const IF_AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();

/// Writes the program. A number that is not in `answers` is not known. Calls of another machine, such as those of 32
/// bits, have other numbers, and end the process whatever they are.
pub(super) fn write(answers: &BTreeMap<u32, Answer>) -> Vec<sock_filter> {
    let mut program = vec![
        plain(LOAD, MACHINE_AT),
        branch(IF_EQUAL, MACHINE, [1, 0]),
        plain(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        plain(LOAD, NUMBER_AT),
    ];
    program.extend(search(&ranges(answers)));
    program
}

/// All numbers, as ranges that are answered alike: each with its first.
fn ranges(answers: &BTreeMap<u32, Answer>) -> Vec<(u32, &Answer)> {
    let (mut ranges, mut next): (Vec<(u32, &Answer)>, _) = (Vec::new(), 0);
    for (&number, answer) in answers {
        if number > next {
            ranges.push((next, &Answer::Unknown));
        }
        if ranges.last().is_none_or(|(_, last)| *last != answer) {
            ranges.push((number, answer));
        }
        next = number + 1;
    }
    ranges.push((next, &Answer::Unknown));
    ranges
}

fn search(ranges: &[(u32, &Answer)]) -> Vec<sock_filter> {
    match ranges {
        [] => vec![plain(RETURN, UNKNOWN)],
        [(_, answer)] => say(answer),
        _ => {
            let (below, above) = ranges.split_at(ranges.len() / 2);
            let (middle, below) = (above[0].0, search(below));
            let mut program = match u8::try_from(below.len()) {
                Ok(over) => vec![branch(IF_AT_LEAST, middle, [over, 0])],
                Err(_) => vec![branch(IF_AT_LEAST, middle, [0, 1]), plain(JUMP, below.len() as u32)],
            };
            program.extend(below);
            program.extend(search(above));
            program
        }
    }
}

fn say(answer: &Answer) -> Vec<sock_filter> {
    match answer {
        Answer::Allow => vec![plain(RETURN, libc::SECCOMP_RET_ALLOW)],
        Answer::Trap => vec![plain(RETURN, libc::SECCOMP_RET_TRAP)],
        Answer::Unknown => vec![plain(RETURN, UNKNOWN)],
        Answer::AllowIf(lists) => {
            let mut program: Vec<_> = lists.iter().flat_map(|list| allow_if(list)).collect();
            program.push(plain(RETURN, UNKNOWN));
            program
        }
    }
}

/// Lets it through if all is so; else what follows is next.
fn allow_if(all: &[Test]) -> Vec<sock_filter> {
    // Written from the end, because each test has to know how much it jumps over.
    let mut reversed = vec![plain(RETURN, libc::SECCOMP_RET_ALLOW)];
    for &Test { place, word, mask, value, wanted } in all.iter().rev() {
        let over = u8::try_from(reversed.len()).expect("a rule has a few tests");
        reversed.push(branch(IF_EQUAL, value & mask, if wanted { [0, over] } else { [over, 0] }));
        if mask != u32::MAX {
            reversed.push(plain(AND, mask));
        }
        let half = if word == Word::Low { 0 } else { HALF_BYTES };
        reversed.push(plain(LOAD, ARGUMENTS_AT + u32::from(place) * ARGUMENT_BYTES + half));
    }
    reversed.reverse();
    reversed
}

const fn plain(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Jumps over so many instructions: if it is so, and if not.
const fn branch(code: u32, k: u32, [jt, jf]: [u8; 2]) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

/// Halves of arguments are told apart by where they lie.
const _: () = assert!(cfg!(target_endian = "little"));
