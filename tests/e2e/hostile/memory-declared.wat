;; Declares an initial memory of two gigabytes, needed at each event and at load.
(module
  (memory (export "memory") 32768)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "banhook:plugin/formatter@0.1.0#format") (param i32) (result i32) (unreachable)))
