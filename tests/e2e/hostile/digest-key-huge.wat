;; Holds the event under a key of three million characters.
(func $attack (result i32)
  (call $take (i32.const 48))
  (memory.fill (i32.const 65536) (i32.const 0x6b) (i32.const 3000000)) ;; k
  (i32.store8 (i32.const 520) (i32.const 2)) ;; hold
  (i32.store (i32.const 528) (i32.const 65536))
  (i32.store (i32.const 532) (i32.const 3000000))
  (i32.const 512))
