;; Looks the ban's subject up and skips with its country, or with "?", or with the code of the error.
(module
  (import "banhook:plugin/geo@0.1.0" "lookup" (func $lookup (param $subject i32) (param $length i32) (param $place i32)))

  (memory (export "memory") 2)
  (data (i32.const 1088) "?")

  ;; Never frees: an instance lives for one event.
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $here i32)
    (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $here) (local.get $size)))
    (local.get $here))

  ;; The event: of a ban whether it has a subject is at 40, and the subject at 44.
  (func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
    (call $lookup (i32.load offset=44 (local.get $event)) (i32.load offset=48 (local.get $event)) (i32.const 1024))
    ;; ok(skip(…)). The answer: whether it is an error 0, whether there is a place 4, whether that has a country 8, the country
    ;; 12. An error's code is at 4.
    (i32.store8 (i32.const 520) (i32.const 1))
    (if (i32.load8_u (i32.const 1024))
      (then
        (i32.store (i32.const 528) (i32.load (i32.const 1028)))
        (i32.store (i32.const 532) (i32.load (i32.const 1032)))
        (return (i32.const 512))))
    (if (i32.and (i32.load8_u (i32.const 1028)) (i32.load8_u (i32.const 1032)))
      (then
        (i32.store (i32.const 528) (i32.load (i32.const 1036)))
        (i32.store (i32.const 532) (i32.load (i32.const 1040))))
      (else
        (i32.store (i32.const 528) (i32.const 1088))
        (i32.store (i32.const 532) (i32.const 1))))
    (i32.const 512)))
