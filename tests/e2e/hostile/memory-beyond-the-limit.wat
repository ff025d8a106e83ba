;; Asks for four gigabytes at once, then piece by piece, and gives up when it is refused.
(func $attack (result i32)
  (if (i32.ne (memory.grow (i32.const 65534)) (i32.const -1))
    (then (memory.fill (i32.const 65536) (i32.const 1) (i32.const 0xfffd0000))))
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (unreachable))
