;; Traps in `wapc_init`.
;; Expected: the actor does not start; the error says that `wapc_init` trapped, and how.
(module
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x1000) "ok")
  (func (export "wapc_init") (unreachable))
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 1)))
