;; Declares an initial memory of 4 GiB.
;; Expected: The actor does not start; the error names the file and this reason. Nothing of that size is allocated.
(module
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (memory (export "memory") 65536)
  (data (i32.const 0x1000) "ok")
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 1)))
