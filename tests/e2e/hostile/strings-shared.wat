;; Returns rich text of ten thousand spans that share the same 64 KiB: little memory here, 640 MiB for a copy.
(func $attack (result i32)
  (local $span i32)
  (call $take (i32.const 8))
  (memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 65536)) ;; a
  (local.set $span (i32.const 131072))
  (loop $next
    ;; A span has 32 bytes, at 8 its text.
    (i32.store offset=8 (local.get $span) (i32.const 65536))
    (i32.store offset=12 (local.get $span) (i32.const 65536))
    (local.set $span (i32.add (local.get $span) (i32.const 32)))
    (br_if $next (i32.lt_u (local.get $span) (i32.const 451072))))
  (i32.store8 (i32.const 528) (i32.const 2)) ;; rich
  (call $post (i32.const 131072) (i32.const 10000)))
