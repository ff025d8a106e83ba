;; Skips with a reason of three million characters that would clear a terminal.
(func $attack (result i32)
  (call $take (i32.const 48))
  (memory.fill (i32.const 65536) (i32.const 0x1b) (i32.const 3000000))
  (call $skip (i32.const 65536) (i32.const 3000000)))
