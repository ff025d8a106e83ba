;; Fails with an error of three million characters.
(func $attack (result i32)
  (call $take (i32.const 48))
  (memory.fill (i32.const 65536) (i32.const 0x65) (i32.const 3000000)) ;; e
  (call $err (i32.const 65536) (i32.const 3000000)))
