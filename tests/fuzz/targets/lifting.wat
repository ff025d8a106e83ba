;; Copies the event's host name, decoded from hexadecimal, to its result.
(module
  (memory (export "memory") 4)

  ;; Above the result; never frees, since an instance lives for one event.
  (global $free (mut i32) (i32.const 0x10000))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $here i32)
    (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $here) (local.get $size)))
    (local.get $here))

  ;; 0-9 and a-f.
  (func $digit (param $at i32) (result i32)
    (local $character i32)
    (local.set $character (i32.load8_u (local.get $at)))
    (if (result i32) (i32.gt_u (local.get $character) (i32.const 0x39))
      (then (i32.sub (local.get $character) (i32.const 0x57)))
      (else (i32.sub (local.get $character) (i32.const 0x30)))))

  ;; The event comes as a pointer: id 0, at 8, host 16, jail 24, …
  (func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
    (local $from i32) (local $end i32) (local $to i32)
    (local.set $from (i32.load offset=16 (local.get $event)))
    (local.set $end (i32.add (local.get $from) (i32.load offset=20 (local.get $event))))
    (local.set $to (i32.const 0x1000))
    (loop $next
      (if (i32.lt_u (local.get $from) (local.get $end))
        (then
          (i32.store8 (local.get $to)
            (i32.or
              (i32.shl (call $digit (local.get $from)) (i32.const 4))
              (call $digit (i32.add (local.get $from) (i32.const 1)))))
          (local.set $from (i32.add (local.get $from) (i32.const 2)))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (br $next))))
    (i32.const 0x1000)))
