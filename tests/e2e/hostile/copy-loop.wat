;; Copies 30 MiB back and forth, with one instruction per copy, which nothing interrupts.
(func $attack (result i32)
  (call $take (i32.const 958))
  (loop $again
    (memory.copy (i32.const 65536) (i32.const 31457280) (i32.const 31391744))
    (memory.copy (i32.const 31457280) (i32.const 65536) (i32.const 31391744))
    (br $again))
  (unreachable))
