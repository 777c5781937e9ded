;; Has a memory and an initializer, but neither `__guest_call` nor `_start`.
;; Expected: The actor does not start; the error names the file and this reason.
(module
  (memory (export "memory") 1)
  (func (export "wapc_init")))
