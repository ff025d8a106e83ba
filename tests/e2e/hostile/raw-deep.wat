;; Posts a valid raw block, nested a hundred deep: a parser accepts it, and code that walks it recurses.
(data (i32.const 1024) "own words")
(data (i32.const 65536) "{\"type\":\"x\",\"a\":")
(func $attack (result i32)
  (memory.fill (i32.const 65552) (i32.const 0x5b) (i32.const 100)) ;; [
  (memory.fill (i32.const 65652) (i32.const 0x5d) (i32.const 100)) ;; ]
  (i32.store8 (i32.const 65752) (i32.const 0x7d)) ;; }
  (i32.store8 (i32.const 4096) (i32.const 8)) ;; raw
  (i32.store (i32.const 4100) (i32.const 65536))
  (i32.store (i32.const 4104) (i32.const 217))
  (call $post_blocks (i32.const 1024) (i32.const 9) (i32.const 4096) (i32.const 1)))
