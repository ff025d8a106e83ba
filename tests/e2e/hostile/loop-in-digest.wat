;; Holds the event, and never returns from formatting the digest.
(func $attack (result i32) (call $hold))
(func (export "banhook:plugin/digester@0.1.0#digest") (param $batch i32) (result i32)
  (if (i32.eq (i32.load8_u (i32.load (i32.load offset=72 (local.get $batch)))) (i32.const 0x7e)) ;; ~, as the first jail
    (then (loop $again (br $again))))
  (i32.const 512))

;; hold({ key: "", until: 1970 }): the digest closes immediately.
(func $hold (result i32)
  (i32.store8 (i32.const 520) (i32.const 2))
  (i32.store8 (i32.const 536) (i32.const 1))
  (i32.const 512))
