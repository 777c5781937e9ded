;; Calls every function of WASI preview 1 but proc_exit, on descriptor 3 (the first that would be a granted directory)
;; or the path "file", and answers any operation with one line a call: the name padded to 24 bytes, a space, the errno
;; in three digits.
;; Expected: 000 for args_*, environ_* (all empty), clock_*, random_get and sched_yield. Any errno but 000 for fd_*,
;; path_*, proc_raise and sock_*, which usually is 008 (bad descriptor), 052 (not supported) or 076 (not capable);
;; poll_oneoff has no subscription and is 028 or 052. No import is missing.
(module
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_res_get" (func $clock_res_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
  (import "wasi_snapshot_preview1" "fd_advise" (func $fd_advise (param i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_allocate" (func $fd_allocate (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_datasync" (func $fd_datasync (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags" (func $fd_fdstat_set_flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_rights" (func $fd_fdstat_set_rights (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get" (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $fd_filestat_set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_times" (func $fd_filestat_set_times (param i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread" (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $fd_renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_sync" (func $fd_sync (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $fd_tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory" (func $path_create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_set_times" (func $path_filestat_set_times (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_link" (func $path_link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_readlink" (func $path_readlink (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_remove_directory" (func $path_remove_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename" (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink" (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $path_unlink_file (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_raise" (func $proc_raise (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $sock_recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send" (func $sock_send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown" (func $sock_shutdown (param i32 i32) (result i32)))
  (import "wapc" "__guest_response" (func $guest_response (param $ptr i32) (param $len i32)))

  (memory (export "memory") 1)
  (data (i32.const 0x7000) "file")
  ;; One line of 29 bytes a call.
  (data (i32.const 0x1000)
    "args_get                 ???\n"
    "args_sizes_get           ???\n"
    "environ_get              ???\n"
    "environ_sizes_get        ???\n"
    "clock_res_get            ???\n"
    "clock_time_get           ???\n"
    "random_get               ???\n"
    "sched_yield              ???\n"
    "fd_advise                ???\n"
    "fd_allocate              ???\n"
    "fd_close                 ???\n"
    "fd_datasync              ???\n"
    "fd_fdstat_get            ???\n"
    "fd_fdstat_set_flags      ???\n"
    "fd_fdstat_set_rights     ???\n"
    "fd_filestat_get          ???\n"
    "fd_filestat_set_size     ???\n"
    "fd_filestat_set_times    ???\n"
    "fd_pread                 ???\n"
    "fd_prestat_get           ???\n"
    "fd_prestat_dir_name      ???\n"
    "fd_pwrite                ???\n"
    "fd_read                  ???\n"
    "fd_readdir               ???\n"
    "fd_renumber              ???\n"
    "fd_seek                  ???\n"
    "fd_sync                  ???\n"
    "fd_tell                  ???\n"
    "fd_write                 ???\n"
    "path_create_directory    ???\n"
    "path_filestat_get        ???\n"
    "path_filestat_set_times  ???\n"
    "path_link                ???\n"
    "path_open                ???\n"
    "path_readlink            ???\n"
    "path_remove_directory    ???\n"
    "path_rename              ???\n"
    "path_symlink             ???\n"
    "path_unlink_file         ???\n"
    "poll_oneoff              ???\n"
    "proc_raise               ???\n"
    "sock_accept              ???\n"
    "sock_recv                ???\n"
    "sock_send                ???\n"
    "sock_shutdown            ???\n"
  )

  (func $put (param $line i32) (param $errno i32)
    (local $digits i32)
    (local.set $digits (i32.add (i32.const 0x1019) (i32.mul (local.get $line) (i32.const 29))))
    (i32.store8 (local.get $digits) (i32.add (i32.const 48) (i32.div_u (local.get $errno) (i32.const 100))))
    (i32.store8 offset=1 (local.get $digits)
      (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $errno) (i32.const 10)) (i32.const 10))))
    (i32.store8 offset=2 (local.get $digits) (i32.add (i32.const 48) (i32.rem_u (local.get $errno) (i32.const 10)))))

  (func (export "__guest_call") (param $op_len i32) (param $req_len i32) (result i32)
    (call $put (i32.const 0) (call $args_get (i32.const 0x4000) (i32.const 0x5000)))
    (call $put (i32.const 1) (call $args_sizes_get (i32.const 0x4000) (i32.const 0x5000)))
    (call $put (i32.const 2) (call $environ_get (i32.const 0x4000) (i32.const 0x5000)))
    (call $put (i32.const 3) (call $environ_sizes_get (i32.const 0x4000) (i32.const 0x5000)))
    (call $put (i32.const 4) (call $clock_res_get (i32.const 1) (i32.const 0x4000)))
    (call $put (i32.const 5) (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 0x4000)))
    (call $put (i32.const 6) (call $random_get (i32.const 0x4000) (i32.const 16)))
    (call $put (i32.const 7) (call $sched_yield))
    (call $put (i32.const 8) (call $fd_advise (i32.const 3) (i64.const 0) (i64.const 0) (i32.const 0)))
    (call $put (i32.const 9) (call $fd_allocate (i32.const 3) (i64.const 0) (i64.const 0)))
    (call $put (i32.const 10) (call $fd_close (i32.const 3)))
    (call $put (i32.const 11) (call $fd_datasync (i32.const 3)))
    (call $put (i32.const 12) (call $fd_fdstat_get (i32.const 3) (i32.const 0x4000)))
    (call $put (i32.const 13) (call $fd_fdstat_set_flags (i32.const 3) (i32.const 0)))
    (call $put (i32.const 14) (call $fd_fdstat_set_rights (i32.const 3) (i64.const 0) (i64.const 0)))
    (call $put (i32.const 15) (call $fd_filestat_get (i32.const 3) (i32.const 0x4000)))
    (call $put (i32.const 16) (call $fd_filestat_set_size (i32.const 3) (i64.const 0)))
    (call $put (i32.const 17) (call $fd_filestat_set_times (i32.const 3) (i64.const 0) (i64.const 0) (i32.const 0)))
    (call $put (i32.const 18) (call $fd_pread (i32.const 3) (i32.const 0x4000) (i32.const 0) (i64.const 0) (i32.const 0x5000)))
    (call $put (i32.const 19) (call $fd_prestat_get (i32.const 3) (i32.const 0x4000)))
    (call $put (i32.const 20) (call $fd_prestat_dir_name (i32.const 3) (i32.const 0x4000) (i32.const 16)))
    (call $put (i32.const 21) (call $fd_pwrite (i32.const 3) (i32.const 0x4000) (i32.const 0) (i64.const 0) (i32.const 0x5000)))
    (call $put (i32.const 22) (call $fd_read (i32.const 3) (i32.const 0x4000) (i32.const 0) (i32.const 0x5000)))
    (call $put (i32.const 23) (call $fd_readdir (i32.const 3) (i32.const 0x4000) (i32.const 16) (i64.const 0) (i32.const 0x5000)))
    (call $put (i32.const 24) (call $fd_renumber (i32.const 3) (i32.const 4)))
    (call $put (i32.const 25) (call $fd_seek (i32.const 3) (i64.const 0) (i32.const 0) (i32.const 0x4000)))
    (call $put (i32.const 26) (call $fd_sync (i32.const 3)))
    (call $put (i32.const 27) (call $fd_tell (i32.const 3) (i32.const 0x4000)))
    (call $put (i32.const 28) (call $fd_write (i32.const 3) (i32.const 0x4000) (i32.const 0) (i32.const 0x5000)))
    (call $put (i32.const 29) (call $path_create_directory (i32.const 3) (i32.const 0x7000) (i32.const 4)))
    (call $put (i32.const 30) (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 0x7000) (i32.const 4) (i32.const 0x4000)))
    (call $put (i32.const 31) (call $path_filestat_set_times (i32.const 3) (i32.const 0) (i32.const 0x7000) (i32.const 4) (i64.const 0) (i64.const 0) (i32.const 0)))
    (call $put (i32.const 32) (call $path_link (i32.const 3) (i32.const 0) (i32.const 0x7000) (i32.const 4) (i32.const 3) (i32.const 0x7000) (i32.const 4)))
    (call $put (i32.const 33) (call $path_open (i32.const 3) (i32.const 0) (i32.const 0x7000) (i32.const 4) (i32.const 0) (i64.const 0x1fffffff) (i64.const 0x1fffffff) (i32.const 0) (i32.const 0x4000)))
    (call $put (i32.const 34) (call $path_readlink (i32.const 3) (i32.const 0x7000) (i32.const 4) (i32.const 0x4000) (i32.const 16) (i32.const 0x5000)))
    (call $put (i32.const 35) (call $path_remove_directory (i32.const 3) (i32.const 0x7000) (i32.const 4)))
    (call $put (i32.const 36) (call $path_rename (i32.const 3) (i32.const 0x7000) (i32.const 4) (i32.const 3) (i32.const 0x7000) (i32.const 4)))
    (call $put (i32.const 37) (call $path_symlink (i32.const 0x7000) (i32.const 4) (i32.const 3) (i32.const 0x7000) (i32.const 4)))
    (call $put (i32.const 38) (call $path_unlink_file (i32.const 3) (i32.const 0x7000) (i32.const 4)))
    (call $put (i32.const 39) (call $poll_oneoff (i32.const 0x4000) (i32.const 0x5000) (i32.const 0) (i32.const 0x6000)))
    (call $put (i32.const 40) (call $proc_raise (i32.const 9)))
    (call $put (i32.const 41) (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 0x4000)))
    (call $put (i32.const 42) (call $sock_recv (i32.const 3) (i32.const 0x4000) (i32.const 0) (i32.const 0) (i32.const 0x5000) (i32.const 0x6000)))
    (call $put (i32.const 43) (call $sock_send (i32.const 3) (i32.const 0x4000) (i32.const 0) (i32.const 0) (i32.const 0x5000)))
    (call $put (i32.const 44) (call $sock_shutdown (i32.const 3) (i32.const 0)))
    (call $guest_response (i32.const 0x1000) (i32.const 1305))
    (i32.const 1)))
