;; Waits on shared memory for a notification that never comes: the host's thread would sleep, and no timer would wake it.
(module
  (memory (export "memory") 2 2 shared)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "banhook:plugin/formatter@0.1.0#format") (param i32) (result i32)
    (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))
    (unreachable)))
