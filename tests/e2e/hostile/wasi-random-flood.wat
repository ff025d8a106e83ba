;; Asks for a gigabyte of random bytes at once, which would use memory of the host.
(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
(data (i32.const 1024) "BREACH: a gigabyte")
(func $attack (result i32)
  (call $random (i64.const 0x40000000) (i32.const 4096))
  (call $post (i32.const 1024) (i32.const 18)))
