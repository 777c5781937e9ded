;; A waPC actor that hands WASI calls addresses outside its memory.
;; Expected: each call returns a clean errno (21, fault, or 8, 28, 52), or the waPC call fails; nothing outside is
;; touched. When all return, any operation answers one byte of errno for each: fd_write with vectors outside, fd_write
;; of a huge vector, random_get of 2^32 - 1 bytes, random_get past the end, clock_time_get past the end,
;; args_sizes_get past the end. None is 0.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))
  (memory (export "memory") 1 1)
  ;; One vector of 2^32 - 1 bytes from address 0.
  (data (i32.const 0x100) "\00\00\00\00\ff\ff\ff\ff")

  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (i32.store8 (i32.const 0x200) (call $fd_write (i32.const 1) (i32.const 0xfffc) (i32.const 1) (i32.const 0)))
    (i32.store8 (i32.const 0x201) (call $fd_write (i32.const 1) (i32.const 0x100) (i32.const 1) (i32.const 0)))
    (i32.store8 (i32.const 0x202) (call $random_get (i32.const 0x300) (i32.const -1)))
    (i32.store8 (i32.const 0x203) (call $random_get (i32.const 0xffff) (i32.const 2)))
    (i32.store8 (i32.const 0x204) (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 0xfffc)))
    (i32.store8 (i32.const 0x205) (call $args_sizes_get (i32.const 0) (i32.const 0xfffe)))
    (call $guest_response (i32.const 0x200) (i32.const 6))
    (i32.const 1)))
