;; Writes to standard output endlessly, 4 KiB at a time.
(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
  (func $write (param i32 i32 i32 i32)))
(func $attack (result i32)
  (local $stdout i32)
  (memory.fill (i32.const 65536) (i32.const 0x6f) (i32.const 4096)) ;; o
  (local.set $stdout (call $stdout))
  (loop $again
    (call $write (local.get $stdout) (i32.const 65536) (i32.const 4096) (i32.const 4096))
    (br $again))
  (unreachable))
