;; Imports an interface that a route can grant, on a route that does not grant it.
(import "banhook:plugin/history@0.1.0" "bans" (func $bans (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
(func $attack (result i32)
  (call $bans (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4096))
  (unreachable))
