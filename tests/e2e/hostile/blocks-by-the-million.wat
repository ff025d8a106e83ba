;; Posts a message of a million headers without text.
(data (i32.const 1024) "own words")
(func $attack (result i32)
  (call $take (i32.const 800))
  (call $post_blocks (i32.const 1024) (i32.const 9) (i32.const 65536) (i32.const 1000000)))
