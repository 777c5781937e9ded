;; Leaves through proc_exit in the middle of a call: with 0 when the payload is empty, else with the payload's first
;; byte.
;; Expected: the call fails with an error that names the status, for 0 too, because there is no answer; the next call
;; fails the same way, on a new instance; the host does not exit.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wapc" "__guest_request" (func $guest_request (param $op_ptr i32) (param $ptr i32)))
  (memory (export "memory") 2)
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_request (i32.const 0x8000) (i32.const 0))
    (call $proc_exit (i32.load8_u (i32.const 0)))
    (unreachable)))
