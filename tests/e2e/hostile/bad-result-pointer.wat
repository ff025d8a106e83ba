;; Returns a result beyond the end of memory.
(func $attack (result i32) (i32.const 0xfffffff0))
