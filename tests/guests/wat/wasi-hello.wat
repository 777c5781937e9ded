;; A WASI-only module: `_start` writes "hello from wasi\n" to stdout by one fd_write of two pieces and "a warning\n"
;; to stderr, then calls proc_exit(0). WASI lets a host write less than it was given; ours writes all.
;; Expected: starts, and what it wrote is in the log with the actor's identity; proc_exit(0) is success. It has no
;; `__guest_call`: every call to it fails with an error that says so.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  (memory (export "memory") 1)
  (data (i32.const 0x100) "hello from wasi\n")
  (data (i32.const 0x110) "a warning\n")
  ;; Three pairs of address and length: two for stdout, one for stderr.
  (data (i32.const 0x200) "\00\01\00\00\06\00\00\00\06\01\00\00\0a\00\00\00\10\01\00\00\0a\00\00\00")

  (func (export "_start")
    (if (call $fd_write (i32.const 1) (i32.const 0x200) (i32.const 2) (i32.const 0x300)) (then (unreachable)))
    (if (call $fd_write (i32.const 2) (i32.const 0x210) (i32.const 1) (i32.const 0x300)) (then (unreachable)))
    (call $proc_exit (i32.const 0))
    (unreachable)))
