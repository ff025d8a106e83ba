;; Returns text that is not UTF-8.
(data (i32.const 1024) "own words \ff\fe\c0\80 and more")
(func $attack (result i32) (call $post (i32.const 1024) (i32.const 23)))
