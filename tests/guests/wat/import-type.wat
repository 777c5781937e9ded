;; Imports `__console_log` with three parameters instead of two.
;; Expected: The actor does not start; the error names the file and this reason. The import is named.
(module
  (import "wapc" "__console_log" (func (param i32 i32 i32)))
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x1000) "ok")
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 1)))
