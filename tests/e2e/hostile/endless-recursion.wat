;; Calls itself until the stack is full, with a large frame.
(func $attack (result i32)
  (i32.add (call $deeper (i64.const 1) (i64.const 2) (i64.const 3)) (i32.const 1)))
(func $deeper (param $a i64) (param $b i64) (param $c i64) (result i32)
  (i32.add
    (call $deeper (local.get $b) (local.get $c) (i64.add (local.get $a) (i64.const 1)))
    (i32.wrap_i64 (i64.xor (local.get $a) (local.get $b)))))
