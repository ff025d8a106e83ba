;; Logs one line of 48 MiB, then formats the event correctly.
(import "banhook:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
(data (i32.const 1024) "own words after the line")
(func $attack (result i32)
  (call $take (i32.const 800))
  (memory.fill (i32.const 65536) (i32.const 0x67) (i32.const 50331648)) ;; g
  (call $log (i32.const 3) (i32.const 65536) (i32.const 50331648))
  (call $post (i32.const 1024) (i32.const 24)))
