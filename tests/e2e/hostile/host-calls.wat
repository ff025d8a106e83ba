;; Calls the host with a megabyte each time, and never returns.
(import "banhook:plugin/clock@0.1.0" "local" (func $local (param f64 i32)))
(import "banhook:plugin/settings@0.1.0" "get" (func $get (param i32 i32 i32)))
(import "banhook:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
(func $attack (result i32)
  (call $take (i32.const 16))
  (memory.fill (i32.const 65536) (i32.const 0x68) (i32.const 1048576)) ;; h
  (loop $again
    (call $local (f64.const 0) (i32.const 4096))
    (call $get (i32.const 65536) (i32.const 1048576) (i32.const 4096))
    (call $log (i32.const 0) (i32.const 65536) (i32.const 1048576))
    (br $again))
  (unreachable))
