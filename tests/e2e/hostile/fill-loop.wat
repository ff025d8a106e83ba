;; Fills 60 MiB repeatedly, with one instruction per fill, which nothing interrupts.
(func $attack (result i32)
  (call $take (i32.const 958))
  (loop $again
    (memory.fill (i32.const 65536) (i32.const 1) (i32.const 62783488))
    (br $again))
  (unreachable))
