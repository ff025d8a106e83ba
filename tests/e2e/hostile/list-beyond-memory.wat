;; Posts a list of blocks whose size does not fit into 32 bits.
(data (i32.const 1024) "own words")
(func $attack (result i32)
  (call $post_blocks (i32.const 1024) (i32.const 9) (i32.const 65536) (i32.const 0xffffffff)))
