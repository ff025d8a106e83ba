;; Returns a string of a gigabyte, most of which lies beyond the end of its memory.
(func $attack (result i32) (call $err (i32.const 1024) (i32.const 0x40000000)))
