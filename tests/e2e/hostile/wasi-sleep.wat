;; Sleeps for an hour.
(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
(import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
(data (i32.const 1024) "BREACH: slept")
(func $attack (result i32)
  (call $block (call $subscribe (i64.const 3600000000000)))
  (call $post (i32.const 1024) (i32.const 13)))
