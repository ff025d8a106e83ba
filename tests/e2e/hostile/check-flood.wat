;; Reports two thousand wrong settings, each with a kilobyte of text that would clear a terminal and forge a line of the
;; log. Formats events correctly.
(data (i32.const 1024) "own words, no complaint")
(data (i32.const 2048) "\1b[2J\0a2026-01-01T00:00:00Z ERROR forged")
(func $attack (result i32) (call $post (i32.const 1024) (i32.const 23)))
(func (export "banhook:plugin/checker@0.1.0#check") (result i32)
  (local $at i32)
  (call $take (i32.const 8))
  (local.set $at (i32.const 65536))
  (loop $next
    ;; A problem of 44 bytes: some(setting), at 20 the level error, at 24 the message.
    (i32.store8 (local.get $at) (i32.const 1))
    (i32.store offset=4 (local.get $at) (i32.const 2048))
    (i32.store offset=8 (local.get $at) (i32.const 4))
    (i32.store8 offset=20 (local.get $at) (i32.const 1))
    (i32.store offset=24 (local.get $at) (i32.const 2048))
    (i32.store offset=28 (local.get $at) (i32.const 1024))
    (local.set $at (i32.add (local.get $at) (i32.const 44)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 153536))))
  (i32.store (i32.const 512) (i32.const 65536))
  (i32.store (i32.const 516) (i32.const 2000))
  (i32.const 512))
