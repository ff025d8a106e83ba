;; Returns a decision with an invalid discriminant.
(func $attack (result i32)
  (i32.store8 (i32.const 520) (i32.const 77))
  (i32.const 512))
