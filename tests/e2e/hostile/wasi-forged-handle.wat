;; Opens a file with a folder handle that it never got: 3 is the first one on many systems.
(import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at"
  (func $open (param i32 i32 i32 i32 i32 i32 i32)))
(data (i32.const 1024) "BREACH: the handle held")
(data (i32.const 1216) "etc/passwd")
(func $attack (result i32)
  (call $open (i32.const 3) (i32.const 1) (i32.const 1216) (i32.const 10) (i32.const 0) (i32.const 1) (i32.const 4112))
  (call $post (i32.const 1024) (i32.const 23)))
