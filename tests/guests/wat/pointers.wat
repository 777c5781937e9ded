;; Passes to each waPC import pointers and lengths that leave its memory (two pages, 0x20000 bytes, never grown). MVP
;; wasm.
;; Expected, but for the five operations set apart below: the call fails as the guest's own fault, nothing outside its
;; memory is read or written, nothing is allocated for a length before it is checked, and `Ok` then answers "ok".
;;
;;   LogPast, LogWrap (address + length past 2^32), LogHuge (2^31 - 1 bytes), LogNegative      __console_log
;;   RequestOp, RequestPayload (send at least 2 bytes of payload), RequestWrap                  __guest_request
;;   ResponsePast, ResponseWrap, ResponseHuge                                                   __guest_response
;;   ErrorPast, ErrorHuge                                                                       __guest_error
;;   CallBinding, CallNamespace, CallOperation, CallPayload, CallWrap, CallHuge                 __host_call
;;   HostResponse     __host_response of two bytes at the last one; the payload is this actor's own public key, which it calls
;;                    with `Ok` first; fails with "unknown operation" when that call brought nothing
;;   HostError        __host_error of a call that fails, at the last byte
;;
;;   Ok               answers "ok"
;;   LastBytes        answers the last two bytes of its memory, "ok": succeeds
;;   EmptyAtEnd       logs and answers zero bytes at the very end: succeeds, empty
;;   NotUtf8          calls a namespace that is not UTF-8: __host_call returns 0 and the guest goes on, or the call fails
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

  (memory (export "memory") 2 2)

  (data (i32.const 0x1030) "default")
  (data (i32.const 0x1040) "no\ff!")

  ;; 0: the operation, padded with zeros; 0x100: the operations' names, 16 bytes each; 0x1000: texts; 0x8000: the payload.
  (data (i32.const 0x100) "Ok")
  (data (i32.const 0x110) "LogPast")
  (data (i32.const 0x120) "LogWrap")
  (data (i32.const 0x130) "LogHuge")
  (data (i32.const 0x140) "LogNegative")
  (data (i32.const 0x150) "RequestOp")
  (data (i32.const 0x160) "RequestPayload")
  (data (i32.const 0x170) "RequestWrap")
  (data (i32.const 0x180) "ResponsePast")
  (data (i32.const 0x190) "ResponseWrap")
  (data (i32.const 0x1a0) "ResponseHuge")
  (data (i32.const 0x1b0) "ErrorPast")
  (data (i32.const 0x1c0) "ErrorHuge")
  (data (i32.const 0x1d0) "CallBinding")
  (data (i32.const 0x1e0) "CallNamespace")
  (data (i32.const 0x1f0) "CallOperation")
  (data (i32.const 0x200) "CallPayload")
  (data (i32.const 0x210) "CallWrap")
  (data (i32.const 0x220) "CallHuge")
  (data (i32.const 0x230) "HostResponse")
  (data (i32.const 0x240) "HostError")
  (data (i32.const 0x250) "NotUtf8")
  (data (i32.const 0x260) "LastBytes")
  (data (i32.const 0x270) "EmptyAtEnd")
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

  (func $LogPast (result i32)
    (call $console_log (i32.const 0x20000) (i32.const 1))
    (call $answer_ok))

  (func $LogWrap (result i32)
    (call $console_log (i32.const 0xfffffff0) (i32.const 64))
    (call $answer_ok))

  (func $LogHuge (result i32)
    (call $console_log (i32.const 0) (i32.const 0x7fffffff))
    (call $answer_ok))

  (func $LogNegative (result i32)
    (call $console_log (i32.const -1) (i32.const -1))
    (call $answer_ok))

  (func $RequestOp (result i32)
    (call $guest_request (i32.const 0x1ffff) (i32.const 0x8000))
    (call $answer_ok))

  (func $RequestPayload (result i32)
    (call $guest_request (i32.const 0) (i32.const 0x1ffff))
    (call $answer_ok))

  (func $RequestWrap (result i32)
    (call $guest_request (i32.const -1) (i32.const -1))
    (call $answer_ok))

  (func $ResponsePast (result i32)
    (call $guest_response (i32.const 0x1ffff) (i32.const 2))
    (call $answer_ok))

  (func $ResponseWrap (result i32)
    (call $guest_response (i32.const 0xfffffff0) (i32.const 64))
    (call $answer_ok))

  (func $ResponseHuge (result i32)
    (call $guest_response (i32.const 0) (i32.const -1))
    (call $answer_ok))

  (func $ErrorPast (result i32)
    (call $guest_error (i32.const 0x1ffff) (i32.const 2))
    (i32.const 0))

  (func $ErrorHuge (result i32)
    (call $guest_error (i32.const 0) (i32.const -1))
    (i32.const 0))

  (func $CallBinding (result i32)
    (drop (call $host_call (i32.const 0x1ffff) (i32.const 2) (i32.const 0x1000) (i32.const 2)
      (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)))
    (call $answer_ok))

  (func $CallNamespace (result i32)
    (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1ffff) (i32.const 2)
      (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)))
    (call $answer_ok))

  (func $CallOperation (result i32)
    (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)
      (i32.const 0x1ffff) (i32.const 2) (i32.const 0x1000) (i32.const 2)))
    (call $answer_ok))

  (func $CallPayload (result i32)
    (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)
      (i32.const 0x1000) (i32.const 2) (i32.const 0x1ffff) (i32.const 2)))
    (call $answer_ok))

  (func $CallWrap (result i32)
    (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)
      (i32.const 0x1000) (i32.const 2) (i32.const 0xfffffff0) (i32.const 64)))
    (call $answer_ok))

  (func $CallHuge (result i32)
    (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)
      (i32.const 0x1000) (i32.const 2) (i32.const 0) (i32.const -1)))
    (call $answer_ok))

  (func $HostResponse (result i32)
    (drop (call $host_call (i32.const 0x1030) (i32.const 7) (i32.const 0x8000) (global.get $req_len)
      (i32.const 0x100) (i32.const 2) (i32.const 0) (i32.const 0)))
    (if (i32.eqz (call $host_response_len)) (then (return (call $refuse))))
    (call $host_response (i32.const 0x1ffff))
    (call $answer_ok))

  (func $HostError (result i32)
    (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)
      (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)))
    (if (i32.eqz (call $host_error_len)) (then (return (call $refuse))))
    (call $host_error (i32.const 0x1ffff))
    (call $answer_ok))

  (func $NotUtf8 (result i32)
    (drop (call $host_call (i32.const 0x1000) (i32.const 2) (i32.const 0x1040) (i32.const 4)
      (i32.const 0x1000) (i32.const 2) (i32.const 0x1000) (i32.const 2)))
    (call $answer_ok))

  (func $LastBytes (result i32)
    (i32.store16 (i32.const 0x1fffe) (i32.load16_u (i32.const 0x1000)))
    (call $guest_response (i32.const 0x1fffe) (i32.const 2))
    (i32.const 1))

  (func $EmptyAtEnd (result i32)
    (call $console_log (i32.const 0x20000) (i32.const 0))
    (call $guest_response (i32.const 0x20000) (i32.const 0))
    (i32.const 1))

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
    (if (call $is (i32.const 0x110)) (then (return (call $LogPast))))
    (if (call $is (i32.const 0x120)) (then (return (call $LogWrap))))
    (if (call $is (i32.const 0x130)) (then (return (call $LogHuge))))
    (if (call $is (i32.const 0x140)) (then (return (call $LogNegative))))
    (if (call $is (i32.const 0x150)) (then (return (call $RequestOp))))
    (if (call $is (i32.const 0x160)) (then (return (call $RequestPayload))))
    (if (call $is (i32.const 0x170)) (then (return (call $RequestWrap))))
    (if (call $is (i32.const 0x180)) (then (return (call $ResponsePast))))
    (if (call $is (i32.const 0x190)) (then (return (call $ResponseWrap))))
    (if (call $is (i32.const 0x1a0)) (then (return (call $ResponseHuge))))
    (if (call $is (i32.const 0x1b0)) (then (return (call $ErrorPast))))
    (if (call $is (i32.const 0x1c0)) (then (return (call $ErrorHuge))))
    (if (call $is (i32.const 0x1d0)) (then (return (call $CallBinding))))
    (if (call $is (i32.const 0x1e0)) (then (return (call $CallNamespace))))
    (if (call $is (i32.const 0x1f0)) (then (return (call $CallOperation))))
    (if (call $is (i32.const 0x200)) (then (return (call $CallPayload))))
    (if (call $is (i32.const 0x210)) (then (return (call $CallWrap))))
    (if (call $is (i32.const 0x220)) (then (return (call $CallHuge))))
    (if (call $is (i32.const 0x230)) (then (return (call $HostResponse))))
    (if (call $is (i32.const 0x240)) (then (return (call $HostError))))
    (if (call $is (i32.const 0x250)) (then (return (call $NotUtf8))))
    (if (call $is (i32.const 0x260)) (then (return (call $LastBytes))))
    (if (call $is (i32.const 0x270)) (then (return (call $EmptyAtEnd))))
    (call $refuse)))
