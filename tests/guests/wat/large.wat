;; Calls `Echo` of `cofferdam:echo` with a large argument, again and again, and does nothing else: no byte is copied but by
;; the host. Told by eight bytes: how often, and how many bytes (u32, little-endian). Answers the length of the last answer.
(module
  (import "wapc" "__guest_request" (func $guest_request (param $op_ptr i32) (param $ptr i32)))
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (import "wapc" "__host_call" (func $host_call
    (param $bd i32) (param $bd_len i32) (param $ns i32) (param $ns_len i32) (param $op i32) (param $op_len i32)
    (param $ptr i32) (param $len i32) (result i32)))
  (import "wapc" "__host_response" (func $host_response (param $ptr i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "default")
  (data (i32.const 32) "cofferdam:echo")
  (data (i32.const 64) "Echo")

  ;; 128: the operation, 1024: what it is told, 65536: the argument, and behind it the answer
  (func (export "__guest_call") (param $op_len i32) (param $len i32) (result i32)
    (local $times i32) (local $bytes i32) (local $answer i32)
    (if (i32.or (i32.gt_u (local.get $op_len) (i32.const 512)) (i32.ne (local.get $len) (i32.const 8)))
      (then (return (i32.const 0))))
    (call $guest_request (i32.const 128) (i32.const 1024))
    (local.set $times (i32.load (i32.const 1024)))
    (local.set $bytes (i32.load (i32.const 1028)))
    (local.set $answer (i32.add (i32.const 65536) (local.get $bytes)))
    (if (i32.lt_s (call $room (local.get $bytes)) (i32.const 0)) (then (return (i32.const 0))))
    (loop $again
      (if (i32.eqz (call $host_call
            (i32.const 16) (i32.const 7) (i32.const 32) (i32.const 14) (i32.const 64) (i32.const 4)
            (i32.const 65536) (local.get $bytes)))
        (then (return (i32.const 0))))
      (call $host_response (local.get $answer))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (i32.gt_s (local.get $times) (i32.const 0))))
    (i32.store (i32.const 1024) (call $host_response_len))
    (call $guest_response (i32.const 1024) (i32.const 4))
    (i32.const 1))

  ;; Makes room for argument and answer. Negative if there is none.
  (func $room (param $bytes i32) (result i32)
    (local $missing i32)
    (local.set $missing (i32.sub
      (i32.add (i32.const 2) (i32.shr_u (local.get $bytes) (i32.const 15)))
      (memory.size)))
    (if (result i32) (i32.gt_s (local.get $missing) (i32.const 0))
      (then (memory.grow (local.get $missing)))
      (else (i32.const 0)))))
