;; Takes all memory up to its limit, writes each byte, and continues: allowed.
(data (i32.const 1024) "own words in full memory")
(func $attack (result i32)
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (memory.fill (i32.const 65536) (i32.const 0xab)
    (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)))
  (call $post (i32.const 1024) (i32.const 24)))
