;; An actor that fails in the way its operation names, so that a test can see that one call failed and that the next
;; one works. MVP wasm. Every operation is to leave the host and the other actors as they were; after each, `Ok`
;; answers "ok".
;;
;;   Ok               answers "ok"
;;   Loop             never returns: the call ends by fuel or by its deadline
;;   Recurse          recurses without end: stack overflow
;;   Grow             grows its memory until it is refused: succeeds, answers the number of pages (u32, little-endian), which
;;                    is at most the memory limit
;;   Bomb             grows and touches every page until it is refused, then traps
;;   Unreachable, OutOfBounds, FarOutOfBounds (address + offset past 2^32), DivideByZero, DivideOverflow, TruncateNan,
;;   IndirectType, IndirectNull, IndirectBounds
;;                    the trap of that name
;;   LogFlood         writes 4 KiB lines by __console_log without end: ends by fuel or deadline; the host's log is bounded
;;   CallFlood        makes host calls that fail, without end: ends by fuel or deadline
;;   Silent           returns 0 without an error: the call fails, with a text of the host
;;   Two              sets a response and returns 2: the call fails, 1 alone is success
;;   NoResponse       returns 1 without a response: the call fails, or succeeds with an empty response; never an old response
;;   ErrorButOne      sets the error "first" and returns 1, no response: as NoResponse
;;   ResponseButZero  sets a response and returns 0, no error: the call fails
;;   Twice            answers "first", then "second": the last one counts
;;   ErrorTwice       sets the error "first", then "second": the call fails with "second"
;;   ErrorNotUtf8     sets an error that is not UTF-8: the call fails, with what can be shown of it
;;   Empty            answers with zero bytes at a dangling address, as Rust guests do: succeeds, empty
;;   Reread           fetches the request a second time and answers it: succeeds with the payload (at most 32 KiB)
;;   NothingYet       asks for the response and the error of a host call it never made on this instance: both are empty,
;;                    answers "ok"; an error left by another call is a leak, and traps
;;   others           fail with "unknown operation"
(module
  (import "wapc" "__guest_request" (func $guest_request (param $op_ptr i32) (param $ptr i32)))
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (import "wapc" "__guest_error" (func $guest_error (param $ptr i32) (param $len i32)))
  (import "wapc" "__console_log" (func $console_log (param $ptr i32) (param $len i32)))
  (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response" (func $host_response (param $ptr i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param $ptr i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))

  (memory (export "memory") 2)

  (type $right (func (result i32)))
  (type $wrong (func (param i64) (result i32)))
  (table 2 funcref)
  (elem (i32.const 0) $answer_ok)
  (global $zero (mut i32) (i32.const 0))
  (data (i32.const 0x1030) "first")
  (data (i32.const 0x1040) "second")
  (data (i32.const 0x1050) "no\ff!")

  (func $deeper (param $depth i64) (result i64)
    (i64.add (call $deeper (i64.add (local.get $depth) (i64.const 1))) (local.get $depth)))

  ;; 0: the operation, padded with zeros; 0x100: the operations' names, 16 bytes each; 0x1000: texts; 0x8000: the payload.
  (data (i32.const 0x100) "Ok")
  (data (i32.const 0x110) "Loop")
  (data (i32.const 0x120) "Recurse")
  (data (i32.const 0x130) "Grow")
  (data (i32.const 0x140) "Bomb")
  (data (i32.const 0x150) "Unreachable")
  (data (i32.const 0x160) "OutOfBounds")
  (data (i32.const 0x170) "FarOutOfBounds")
  (data (i32.const 0x180) "DivideByZero")
  (data (i32.const 0x190) "DivideOverflow")
  (data (i32.const 0x1a0) "TruncateNan")
  (data (i32.const 0x1b0) "IndirectType")
  (data (i32.const 0x1c0) "IndirectNull")
  (data (i32.const 0x1d0) "IndirectBounds")
  (data (i32.const 0x1e0) "LogFlood")
  (data (i32.const 0x1f0) "CallFlood")
  (data (i32.const 0x200) "Silent")
  (data (i32.const 0x210) "Two")
  (data (i32.const 0x220) "NoResponse")
  (data (i32.const 0x230) "ErrorButOne")
  (data (i32.const 0x240) "ResponseButZero")
  (data (i32.const 0x250) "Twice")
  (data (i32.const 0x260) "ErrorTwice")
  (data (i32.const 0x270) "ErrorNotUtf8")
  (data (i32.const 0x280) "Empty")
  (data (i32.const 0x290) "Reread")
  (data (i32.const 0x2a0) "NothingYet")
  (data (i32.const 0x1000) "ok")
  (data (i32.const 0x1010) "unknown operation")

  ;; Whether the operation is the name at this address.
  (func $is (param $name i32) (result i32)
    (i32.and
      (i64.eq (i64.load (i32.const 0)) (i64.load (local.get $name)))
      (i64.eq (i64.load (i32.const 8)) (i64.load offset=8 (local.get $name)))))

  (func $answer_ok (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 1))

  (func $refuse (result i32)
    (call $guest_error (i32.const 0x1010) (i32.const 17))
    (i32.const 0))

  (func $Ok (result i32)
    (call $answer_ok))

  (func $Loop (result i32)
    (loop $again (br $again))
    (unreachable))

  (func $Recurse (result i32)
    (call $deeper (i64.const 1))
    (drop)
    (call $answer_ok))

  (func $Grow (result i32)
    (block $refused
      (loop $again
        (br_if $refused (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
        (br $again)))
    (i32.store (i32.const 0x2000) (memory.size))
    (call $guest_response (i32.const 0x2000) (i32.const 4))
    (i32.const 1))

  (func $Bomb (result i32)
    (local $page i32)
    (loop $again
      (local.set $page (memory.grow (i32.const 1)))
      (if (i32.eq (local.get $page) (i32.const -1)) (then (unreachable)))
      (i32.store8 (i32.shl (local.get $page) (i32.const 16)) (i32.const 1))
      (br $again))
    (unreachable))

  (func $Unreachable (result i32)
    (unreachable))

  (func $OutOfBounds (result i32)
    (i32.load (i32.shl (memory.size) (i32.const 16))))

  (func $FarOutOfBounds (result i32)
    (i32.load offset=0xffffffff (i32.const -1)))

  (func $DivideByZero (result i32)
    (i32.div_u (i32.const 1) (global.get $zero)))

  (func $DivideOverflow (result i32)
    (i32.div_s (i32.const 0x80000000) (i32.sub (global.get $zero) (i32.const 1))))

  (func $TruncateNan (result i32)
    (i32.trunc_f32_s (f32.div (f32.const 0) (f32.const 0))))

  (func $IndirectType (result i32)
    (call_indirect (type $wrong) (i64.const 1) (i32.const 0)))

  (func $IndirectNull (result i32)
    (call_indirect (type $right) (i32.const 1)))

  (func $IndirectBounds (result i32)
    (call_indirect (type $right) (i32.const 9)))

  (func $LogFlood (result i32)
    (loop $again
      (call $console_log (i32.const 0x4000) (i32.const 0x1000))
      (br $again))
    (unreachable))

  (func $CallFlood (result i32)
    (loop $again
      (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)
        (i32.const 0x1000) (i32.const 2) (i32.const 0) (i32.const 0)))
      (br $again))
    (unreachable))

  (func $Silent (result i32)
    (i32.const 0))

  (func $Two (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 2))

  (func $NoResponse (result i32)
    (i32.const 1))

  (func $ErrorButOne (result i32)
    (call $guest_error (i32.const 0x1030) (i32.const 5))
    (i32.const 1))

  (func $ResponseButZero (result i32)
    (call $guest_response (i32.const 0x1000) (i32.const 2))
    (i32.const 0))

  (func $Twice (result i32)
    (call $guest_response (i32.const 0x1030) (i32.const 5))
    (call $guest_response (i32.const 0x1040) (i32.const 6))
    (i32.const 1))

  (func $ErrorTwice (result i32)
    (call $guest_error (i32.const 0x1030) (i32.const 5))
    (call $guest_error (i32.const 0x1040) (i32.const 6))
    (i32.const 0))

  (func $ErrorNotUtf8 (result i32)
    (call $guest_error (i32.const 0x1050) (i32.const 4))
    (i32.const 0))

  (func $Empty (result i32)
    (call $guest_response (i32.const 1) (i32.const 0))
    (i32.const 1))

  (func $Reread (result i32)
    (call $guest_request (i32.const 0) (i32.const 0x10000))
    (call $guest_response (i32.const 0x10000) (global.get $req_len))
    (i32.const 1))

  (func $NothingYet (result i32)
    (if (i32.or (call $host_response_len) (call $host_error_len)) (then (unreachable)))
    (call $host_response (i32.const 0x2000))
    (call $host_error (i32.const 0x2000))
    (call $answer_ok))

  (global $req_len (mut i32) (i32.const 0))
  (global $op_len (mut i32) (i32.const 0))
  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (global.set $op_len (local.get $op_len))
    (global.set $req_len (local.get $req_len))
    (if (i32.gt_u (local.get $op_len) (i32.const 16)) (then (return (call $refuse))))
    (if (i32.gt_u (local.get $req_len) (i32.const 0x8000)) (then (return (call $refuse))))
    (i64.store (i32.const 0) (i64.const 0))
    (i64.store (i32.const 8) (i64.const 0))
    (call $guest_request (i32.const 0) (i32.const 0x8000))
    (if (call $is (i32.const 0x100)) (then (return (call $Ok))))
    (if (call $is (i32.const 0x110)) (then (return (call $Loop))))
    (if (call $is (i32.const 0x120)) (then (return (call $Recurse))))
    (if (call $is (i32.const 0x130)) (then (return (call $Grow))))
    (if (call $is (i32.const 0x140)) (then (return (call $Bomb))))
    (if (call $is (i32.const 0x150)) (then (return (call $Unreachable))))
    (if (call $is (i32.const 0x160)) (then (return (call $OutOfBounds))))
    (if (call $is (i32.const 0x170)) (then (return (call $FarOutOfBounds))))
    (if (call $is (i32.const 0x180)) (then (return (call $DivideByZero))))
    (if (call $is (i32.const 0x190)) (then (return (call $DivideOverflow))))
    (if (call $is (i32.const 0x1a0)) (then (return (call $TruncateNan))))
    (if (call $is (i32.const 0x1b0)) (then (return (call $IndirectType))))
    (if (call $is (i32.const 0x1c0)) (then (return (call $IndirectNull))))
    (if (call $is (i32.const 0x1d0)) (then (return (call $IndirectBounds))))
    (if (call $is (i32.const 0x1e0)) (then (return (call $LogFlood))))
    (if (call $is (i32.const 0x1f0)) (then (return (call $CallFlood))))
    (if (call $is (i32.const 0x200)) (then (return (call $Silent))))
    (if (call $is (i32.const 0x210)) (then (return (call $Two))))
    (if (call $is (i32.const 0x220)) (then (return (call $NoResponse))))
    (if (call $is (i32.const 0x230)) (then (return (call $ErrorButOne))))
    (if (call $is (i32.const 0x240)) (then (return (call $ResponseButZero))))
    (if (call $is (i32.const 0x250)) (then (return (call $Twice))))
    (if (call $is (i32.const 0x260)) (then (return (call $ErrorTwice))))
    (if (call $is (i32.const 0x270)) (then (return (call $ErrorNotUtf8))))
    (if (call $is (i32.const 0x280)) (then (return (call $Empty))))
    (if (call $is (i32.const 0x290)) (then (return (call $Reread))))
    (if (call $is (i32.const 0x2a0)) (then (return (call $NothingYet))))
    (call $refuse)))
