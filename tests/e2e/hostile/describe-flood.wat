;; Describes two thousand settings, each with a kilobyte of text, and has a name that would clear a terminal and forge a line
;; of the log. Formats events correctly.
(data (i32.const 1024) "own words, well described")
(data (i32.const 2048) "\1b[2J\0a2026-01-01T00:00:00Z ERROR forged")
(func $attack (result i32) (call $post (i32.const 1024) (i32.const 25)))
(func (export "banhook:plugin/descriptor@0.1.0#describe") (result i32)
  (local $at i32)
  (call $take (i32.const 8))
  (local.set $at (i32.const 65536))
  (loop $next
    ;; A setting of 32 bytes: its name, its kind (text), at 12 its description.
    (i32.store (local.get $at) (i32.const 2048))
    (i32.store offset=4 (local.get $at) (i32.const 1024))
    (i32.store offset=12 (local.get $at) (i32.const 2048))
    (i32.store offset=16 (local.get $at) (i32.const 1024))
    (local.set $at (i32.add (local.get $at) (i32.const 32)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 129536))))
  ;; The name, and at 20 the settings.
  (i32.store (i32.const 512) (i32.const 2048))
  (i32.store (i32.const 516) (i32.const 1024))
  (i32.store (i32.const 532) (i32.const 65536))
  (i32.store (i32.const 536) (i32.const 2000))
  (i32.const 512))
