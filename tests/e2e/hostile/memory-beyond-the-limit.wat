;; Asks for four gigabytes at once, then in small steps, and traps when it gets no more.
(func $attack (result i32)
  (if (i32.ne (memory.grow (i32.const 65534)) (i32.const -1))
    (then (memory.fill (i32.const 65536) (i32.const 1) (i32.const 0xfffd0000))))
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (unreachable))
