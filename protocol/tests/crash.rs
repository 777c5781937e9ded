//! What a process leaves when it dies is foreign bytes: any of them make a record or an error, and never more than came.

use cofferdam_protocol::crash::{
    CrashRecord, END, FAULT, FAULT_BYTES, Fault, MODULE, MODULE_PATH_BYTES_MAX, Module, STACK,
};
use cofferdam_protocol::limits::{MODULES_MAX, RECORD_BYTES_MAX};
use proptest::collection::vec;
use proptest::prelude::*;

fn part(kind: u32, body: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(body.len() as u32).to_le_bytes(), body].concat()
}

fn placed(address: u64, bytes: &[u8]) -> Vec<u8> {
    [&address.to_le_bytes()[..], bytes].concat()
}

const FAULT_OF_11: Fault = Fault {
    signal: 11,
    code: 1,
    address: 0x18,
    system_call: -1,
    thread: 7,
    machine: 62,
    thread_name: *b"call-0\0\0\0\0\0\0\0\0\0\0",
    pc: 0x7f00_0000_1000,
    sp: 0x1000,
    fp: 0x1010,
    lr: 0,
};

fn record(parts: &[Vec<u8>]) -> CrashRecord {
    let bytes = [&[part(FAULT, &FAULT_OF_11.to_bytes())], parts].concat().concat();
    CrashRecord::read(&bytes).expect("it begins with a fault")
}

#[test]
fn a_whole_record_is_read() {
    let read = record(&[
        part(MODULE, &placed(0x10, b"")),
        part(MODULE, &placed(0x20, b"/lib/libc.so.6")),
        part(STACK, &placed(0x1000, &[1; 16])),
        part(STACK, &placed(0x1010, &[2; 8])),
        part(END, b""),
        part(STACK, &placed(0x1018, &[3; 8])),
    ]);
    assert_eq!((read.fault, read.complete, read.stack.len()), (FAULT_OF_11, true, 24));
    assert_eq!(read.modules[1], Module { base: 0x20, path: "/lib/libc.so.6".to_owned() });
    assert_eq!(read.thread_name(), "call-0");
    let words = [0xfff, 0x1000, 0x1010, 0x1011, 0x1018, u64::MAX].map(|address| read.stack_word(address));
    assert_eq!(words, [None, Some(0x0101_0101_0101_0101), Some(0x0202_0202_0202_0202), None, None, None]);
}

/// What, the parts, and how many modules and bytes of the stack are read of them.
type Case = (&'static str, Vec<Vec<u8>>, (usize, usize));

#[test]
fn what_makes_no_sense_ends_the_record() {
    let long = placed(1, &[b'x'; MODULE_PATH_BYTES_MAX + 1]);
    let stack = |address| part(STACK, &placed(address, &[1; 8]));
    let cases: [Case; 9] = [
        ("an unknown part", vec![part(9, b""), stack(0x1000)], (0, 0)),
        ("a module without address", vec![part(MODULE, b"x"), stack(0x1000)], (0, 0)),
        ("a path that is too long", vec![part(MODULE, &long), stack(0x1000)], (0, 0)),
        ("a stack below the stack pointer", vec![stack(0xff8)], (0, 0)),
        ("a stack far above it", vec![stack(0x1000 + (64 << 10) + 1)], (0, 0)),
        ("a stack a little above it", vec![stack(0x2000)], (0, 8)),
        ("a stack with a hole", vec![stack(0x1000), stack(0x1010)], (0, 8)),
        ("a cut part", vec![stack(0x1000), part(STACK, &[0; 99])[..50].to_vec()], (0, 8)),
        ("too many modules", vec![part(MODULE, &placed(1, b"x")); MODULES_MAX + 1], (MODULES_MAX, 0)),
    ];
    for (what, parts, expected) in cases {
        let read = record(&parts);
        assert_eq!((read.modules.len(), read.stack.len()), expected, "{what}");
        assert!(!read.complete, "{what}");
    }
}

#[test]
fn without_a_fault_there_is_no_record() {
    let fault = part(FAULT, &FAULT_OF_11.to_bytes());
    for bytes in [vec![], vec![0; 500], fault[..FAULT_BYTES].to_vec(), part(FAULT, &[0; 8]), part(END, b"")] {
        assert!(CrashRecord::read(&bytes).is_err(), "{bytes:?}");
    }
    let longest = [fault, vec![0; RECORD_BYTES_MAX]].concat();
    assert!(CrashRecord::read(&longest).is_err());
    assert!(CrashRecord::read(&longest[..RECORD_BYTES_MAX]).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in vec(any::<u8>(), 0..4096)) {
        let _ = CrashRecord::read(&bytes);
    }

    #[test]
    fn any_parts_are_read(
        parts in vec((0_u32..6, any::<u32>(), vec(any::<u8>(), 0..300)), 0..40), fault in any::<[u8; FAULT_BYTES]>(),
    ) {
        let mut bytes = part(FAULT, &fault);
        for (kind, lie, body) in parts {
            let mut next = part(kind, &body);
            if lie % 8 == 0 {
                next[4..8].copy_from_slice(&lie.to_le_bytes());
            }
            bytes.extend(next);
        }
        if let Ok(read) = CrashRecord::read(&bytes) {
            prop_assert!(read.stack.len() <= bytes.len() && read.modules.len() <= MODULES_MAX);
            let _ = (read.thread_name(), read.stack_word(read.stack_address), read.stack_word(read.fault.sp));
        }
    }
}
