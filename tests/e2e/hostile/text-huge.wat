;; Posts a text of three million characters.
(func $attack (result i32)
  (call $take (i32.const 48))
  (memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 3000000)) ;; a
  (call $post (i32.const 65536) (i32.const 3000000)))
