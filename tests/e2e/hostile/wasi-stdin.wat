;; Reads a gigabyte from standard input, blocking.
(import "wasi:cli/stdin@0.2.0" "get-stdin" (func $stdin (result i32)))
(import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
(data (i32.const 1024) "own words, nothing to read")
(data (i32.const 1088) "BREACH: read something")
(func $attack (result i32)
  (call $read (call $stdin) (i64.const 0x40000000) (i32.const 4096))
  ;; An error (the end of the stream), or an empty list.
  (if (i32.or (i32.load8_u (i32.const 4096)) (i32.eqz (i32.load (i32.const 4104))))
    (then (return (call $post (i32.const 1024) (i32.const 26)))))
  (call $post (i32.const 1088) (i32.const 22)))
