;; Never returns from its start section, which runs inside instantiation, before any export can be called.
;; Expected: the start fails by fuel or deadline; the host goes on. Fuel that is set after instantiation is too late.
(module
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x1000) "ok")
  (func $begin (loop $again (br $again)))
  (start $begin)
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 1)))
