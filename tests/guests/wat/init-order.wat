;; Writes down the order in which its entry points ran.
;; Expected: any operation answers "_start, wapc_init": each once, `_start` first, for every instance.
(module
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x100) "_start, ")
  (data (i32.const 0x108) "wapc_init")
  (global $end (mut i32) (i32.const 0x200))

  (func $write (param $from i32) (param $len i32)
    (loop $again
      (i32.store8 (global.get $end) (i32.load8_u (local.get $from)))
      (global.set $end (i32.add (global.get $end) (i32.const 1)))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $len (i32.sub (local.get $len) (i32.const 1)))
      (br_if $again (local.get $len))))

  (func (export "wapc_init") (call $write (i32.const 0x108) (i32.const 9)))
  (func (export "_start") (call $write (i32.const 0x100) (i32.const 8)))
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $guest_response (i32.const 0x200) (i32.sub (global.get $end) (i32.const 0x200)))
    (i32.const 1)))
