;; Loops over the bulk operators, each of which does up to a whole memory or table of work for one unit of naive fuel.
;; Needs the bulk-memory and reference-types features. Expected of Fill, Copy, Init, TableFill, TableCopy and
;; TableInit: the call ends by its deadline or before; afterwards `Ok` answers "ok".
;;
;;   Ok, FillOnce     answer "ok"; the latter after one memory.fill of 64 KiB, which metering must let pass
;;   Fill, Copy       grow the memory to the limit, then memory.fill or memory.copy all of it, without end
;;   Init             memory.init of 4 KiB without end
;;   FillOutside      memory.fill past the end: a trap
;;   TableGrow        grows a table until it is refused: succeeds, answers the number of elements (u32, little-endian), which
;;                    is at most the table limit
;;   TableFill, TableCopy, TableInit
;;                    that operator over the whole table, without end
;;   others           fail with "unknown operation"
(module
  (import "wapc" "__guest_request" (func $guest_request (param $op_ptr i32) (param $ptr i32)))
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (import "wapc" "__guest_error" (func $guest_error (param $ptr i32) (param $len i32)))

  (memory (export "memory") 2)

  (table $table 4 funcref)
  (elem $elements func $answer_ok $answer_ok $answer_ok $answer_ok)
  (data $passive
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

  ;; Grows the memory until it is refused, and returns its size in bytes (at most 2 GiB).
  (func $grow (result i32)
    (block $refused
      (loop $again
        (br_if $refused (i32.ge_u (memory.size) (i32.const 32752)))
        (br_if $refused (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
        (br $again)))
    (i32.shl (memory.size) (i32.const 16)))

  ;; 0: the operation, padded with zeros; 0x100: the operations' names, 16 bytes each; 0x1000: texts; 0x8000: the payload.
  (data (i32.const 0x100) "Ok")
  (data (i32.const 0x110) "FillOnce")
  (data (i32.const 0x120) "Fill")
  (data (i32.const 0x130) "Copy")
  (data (i32.const 0x140) "Init")
  (data (i32.const 0x150) "FillOutside")
  (data (i32.const 0x160) "TableGrow")
  (data (i32.const 0x170) "TableFill")
  (data (i32.const 0x180) "TableCopy")
  (data (i32.const 0x190) "TableInit")
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

  (func $FillOnce (result i32)
    (memory.fill (i32.const 0x10000) (i32.const 7) (i32.const 0x10000))
    (i32.sub (call $answer_ok) (i32.ne (i32.load8_u (i32.const 0x1ffff)) (i32.const 7))))

  (func $Fill (result i32)
    (local $bytes i32)
    (local.set $bytes (call $grow))
    (loop $again
      (memory.fill (i32.const 0x2000) (i32.const 1) (i32.sub (local.get $bytes) (i32.const 0x2000)))
      (br $again))
    (unreachable))

  (func $Copy (result i32)
    (local $bytes i32)
    (local.set $bytes (call $grow))
    (loop $again
      (memory.copy (i32.const 0x2000) (i32.const 0x2001) (i32.sub (local.get $bytes) (i32.const 0x2001)))
      (br $again))
    (unreachable))

  (func $Init (result i32)
    (loop $again
      (memory.init $passive (i32.const 0x2000) (i32.const 0) (i32.const 4096))
      (br $again))
    (unreachable))

  (func $FillOutside (result i32)
    (memory.fill (i32.const 0x2000) (i32.const 1) (i32.const -1))
    (call $answer_ok))

  (func $TableGrow (result i32)
    (block $refused
      (loop $again
        (br_if $refused (i32.eq (table.grow $table (ref.func $answer_ok) (i32.const 1000)) (i32.const -1)))
        (br $again)))
    (i32.store (i32.const 0x2000) (table.size $table))
    (call $guest_response (i32.const 0x2000) (i32.const 4))
    (i32.const 1))

  (func $TableFill (result i32)
    (drop (table.grow $table (ref.null func) (i32.const 8192)))
    (loop $again
      (table.fill $table (i32.const 0) (ref.func $answer_ok) (table.size $table))
      (br $again))
    (unreachable))

  (func $TableCopy (result i32)
    (drop (table.grow $table (ref.null func) (i32.const 8192)))
    (loop $again
      (table.copy $table $table (i32.const 0) (i32.const 1) (i32.sub (table.size $table) (i32.const 1)))
      (br $again))
    (unreachable))

  (func $TableInit (result i32)
    (loop $again
      (table.init $table $elements (i32.const 0) (i32.const 0) (i32.const 4))
      (br $again))
    (unreachable))

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
    (if (call $is (i32.const 0x110)) (then (return (call $FillOnce))))
    (if (call $is (i32.const 0x120)) (then (return (call $Fill))))
    (if (call $is (i32.const 0x130)) (then (return (call $Copy))))
    (if (call $is (i32.const 0x140)) (then (return (call $Init))))
    (if (call $is (i32.const 0x150)) (then (return (call $FillOutside))))
    (if (call $is (i32.const 0x160)) (then (return (call $TableGrow))))
    (if (call $is (i32.const 0x170)) (then (return (call $TableFill))))
    (if (call $is (i32.const 0x180)) (then (return (call $TableCopy))))
    (if (call $is (i32.const 0x190)) (then (return (call $TableInit))))
    (call $refuse)))
