;; A decision of a case that there is none of.
(func $attack (result i32)
  (i32.store8 (i32.const 520) (i32.const 77))
  (i32.const 512))
