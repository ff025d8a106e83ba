;; Fails with an empty error.
(func $attack (result i32) (call $err (i32.const 0) (i32.const 0)))
