;; Searches all memory that it can get for data that another plugin left there.
(data (i32.const 1024) "own words, nothing seen")
(data (i32.const 1088) "BREACH: seen")
(func $attack (result i32)
  (local $at i32) (local $end i32) (local $seen i64)
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (local.set $at (i32.const 65536))
  (local.set $end (i32.mul (memory.size) (i32.const 65536)))
  (loop $next
    (local.set $seen (i64.or (local.get $seen) (i64.load (local.get $at))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
  (if (i64.ne (local.get $seen) (i64.const 0)) (then (return (call $post (i32.const 1088) (i32.const 12)))))
  (call $post (i32.const 1024) (i32.const 23)))
