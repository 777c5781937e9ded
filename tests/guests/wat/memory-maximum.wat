;; Declares a small memory with a maximum of 4 GiB, which is only what it hopes for.
;; Expected: starts and answers "ok" to any operation; the maximum is cut to the limit.
(module
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (memory (export "memory") 1 65536)
  (data (i32.const 0x1000) "ok")
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 1)))
