;; Posts a valid message with a hundred thousand empty hints.
(data (i32.const 1024) "own words with hints")
(func $attack (result i32)
  (call $take (i32.const 32))
  (i32.store8 (i32.const 560) (i32.const 1))
  (i32.store (i32.const 564) (i32.const 65536))
  (i32.store (i32.const 568) (i32.const 100000))
  (call $post (i32.const 1024) (i32.const 20)))
