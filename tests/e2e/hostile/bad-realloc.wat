;; Allocates memory for the event outside its own memory, at each event and at load.
(module
  (memory (export "memory") 2)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0xfffffff0))
  (func (export "banhook:plugin/formatter@0.1.0#format") (param i32) (result i32) (unreachable)))
