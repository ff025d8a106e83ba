;; Imports an interface that does not exist.
(import "acme:vault/secrets@1.0.0" "steal" (func $steal (param i32)))
(func $attack (result i32)
  (call $steal (i32.const 4096))
  (call $post (i32.load (i32.const 4096)) (i32.load (i32.const 4100))))
