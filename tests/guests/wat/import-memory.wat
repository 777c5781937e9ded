;; Wants its memory from the host instead of having its own.
;; Expected: The actor does not start; the error names the file and this reason.
(module
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (import "env" "memory" (memory 1))
  (data (i32.const 0x1000) "ok")
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 1)))
