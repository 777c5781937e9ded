;; Exports `__guest_call` with another type: (i64) -> i64.
;; Expected: The actor does not start; the error names the file and this reason.
(module
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $lengths i64) (result i64)
    (local.get $lengths)))
