;; Posts the largest allowed message: 3,000 characters of text, 50 sections with 10,000 characters together.
(func $attack (result i32)
  (call $sections (i32.const 200)))
(func $sections (param $length i32) (result i32)
  (local $block i32)
  (memory.fill (i32.const 65536) (i32.const 0x62) (i32.const 3000)) ;; b
  (local.set $block (i32.const 4096))
  (loop $next
    (i32.store8 (local.get $block) (i32.const 1)) ;; section, its text: some(plain(…))
    (i32.store8 offset=4 (local.get $block) (i32.const 1))
    (i32.store offset=12 (local.get $block) (i32.const 65536))
    (i32.store offset=16 (local.get $block) (local.get $length))
    (local.set $block (i32.add (local.get $block) (i32.const 52)))
    (br_if $next (i32.lt_u (local.get $block) (i32.const 6696))))
  (call $post_blocks (i32.const 65536) (i32.const 3000) (i32.const 4096) (i32.const 50)))
