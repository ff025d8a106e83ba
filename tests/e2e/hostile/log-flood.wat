;; Logs twenty thousand lines of a kilobyte, then formats the event correctly.
(import "banhook:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
(data (i32.const 1024) "own words after the flood")
(func $attack (result i32)
  (local $left i32)
  (memory.fill (i32.const 65536) (i32.const 0x66) (i32.const 1000)) ;; f
  (local.set $left (i32.const 20000))
  (loop $more
    (call $log (i32.const 2) (i32.const 65536) (i32.const 1000))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $more (local.get $left)))
  (call $post (i32.const 1024) (i32.const 25)))
