;; Misbehaves as the name of the event's jail says. It is stateless and passes the host's smoke test at load, so that it
;; fails exactly where a test wants it to.
(module
  (memory (export "memory") 2)
  (data (i32.const 1024) "the scanner is on holiday")
  (data (i32.const 1088) "nothing to post")

  ;; Never frees: an instance lives for one event.
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $here i32)
    (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $here) (local.get $size)))
    (local.get $here))

  ;; format(event) -> result<decision, string>. The event comes as a pointer: id 0, at 8, host 16, jail 24, …
  ;; The result is laid out at 512: its case, at 520 the error's pointer and length, or the decision's case and at 528
  ;; its payload.
  (func $format (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
    (local $jail i32)
    (local $fault i32)
    (local.set $jail (i32.load offset=24 (local.get $event)))
    (if (i32.eq (i32.load8_u (local.get $jail)) (i32.const 0x7e)) ;; ~
      (then (local.set $fault (i32.load8_u offset=1 (local.get $jail)))))

    (if (i32.eq (local.get $fault) (i32.const 0x74)) ;; ~trap
      (then (unreachable)))

    (if (i32.eq (local.get $fault) (i32.const 0x6c)) ;; ~loop
      (then (loop $again (br $again))))

    (if (i32.eq (local.get $fault) (i32.const 0x68)) ;; ~hog: takes memory until there is no more, then traps
      (then
        (loop $more
          (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (unreachable)))

    (if (i32.eq (local.get $fault) (i32.const 0x65)) ;; ~error: err("the scanner is on holiday")
      (then
        (i32.store8 (i32.const 512) (i32.const 1))
        (i32.store (i32.const 520) (i32.const 1024))
        (i32.store (i32.const 524) (i32.const 25))
        (return (i32.const 512))))

    (if (i32.eq (local.get $fault) (i32.const 0x66)) ;; ~flood: err(8 MiB of text)
      (then
        (drop (memory.grow (i32.const 256)))
        (i32.store8 (i32.const 512) (i32.const 1))
        (i32.store (i32.const 520) (i32.const 65536))
        (i32.store (i32.const 524) (i32.const 8388608))
        (return (i32.const 512))))

    (if (i32.eq (local.get $fault) (i32.const 0x62)) ;; ~blank: a message without text, which Slack refuses; all zero
      (then (return (i32.const 512))))

    (i32.store8 (i32.const 520) (i32.const 1)) ;; skip("nothing to post")
    (i32.store (i32.const 528) (i32.const 1088))
    (i32.store (i32.const 532) (i32.const 15))
    (i32.const 512)))
