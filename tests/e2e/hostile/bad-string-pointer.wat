;; Returns a string that begins inside memory and ends outside.
(func $attack (result i32) (call $err (i32.const 131000) (i32.const 1000)))
