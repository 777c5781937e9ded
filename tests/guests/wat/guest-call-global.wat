;; Exports `__guest_call`, but as a global.
;; Expected: The actor does not start; the error names the file and this reason.
(module
  (memory (export "memory") 1)
  (global (export "__guest_call") i32 (i32.const 1)))
