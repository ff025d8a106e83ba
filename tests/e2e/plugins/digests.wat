;; Holds events, posts others, and formats digests, as the name of the event's jail says.
;;
;; `~hold…` is held with the jail as its key: `~hold-5` for five seconds, any other for the route's window. `~skip…` is
;; skipped. Any other event is posted immediately, as `ban 203.0.113.7 in sshd`, or without a subject as `ban sshd`.
;;
;; The message about a subject that begins with `e` is in the thread of its jail. That of a ban has the name of its subject,
;; and that of an unban replaces the one with the name up to the first `x`: `e17x-e18x` replaces `e17x`.
;;
;; What is held has the jail as its tag as well, and where there are tags a digest's text ends with the first one and how
;; many events it has.
;;
;; A digest's text is `12 events (held, ~hold), 12 listed, 9 bans, 12 of ~hold`; where there is no key it says `no key`. It
;; misbehaves as the word after `~hold-` or `~post-` says, in its key or else in the first jail of its tally: `-trap` traps,
;; `-error` is err("the digest is on holiday"), `-blank` is a message that Slack rejects, `-list` returns two thousand blocks,
;; `-now` adds the seconds of `clock.now`, `-skip` skips, `-wait` is held until ten seconds after its first event, `-forever`
;; is held forever, and `-past` until 1970.
(module
  (import "banhook:plugin/clock@0.1.0" "now" (func $now (result f64)))

  ;; Large enough for a whole batch of the longest events.
  (memory (export "memory") 64)
  (data (i32.const 1024) "the digest is on holiday")
  (data (i32.const 1056) "not worth a message")
  (data (i32.const 1088) "ban ")
  (data (i32.const 1104) " in ")
  (data (i32.const 1120) " events (")
  (data (i32.const 1136) ", ")
  (data (i32.const 1152) "no key")
  (data (i32.const 1168) "), ")
  (data (i32.const 1184) " listed, ")
  (data (i32.const 1200) " bans")
  (data (i32.const 1216) " at ")
  (data (i32.const 1232) " of ")
  ;; Causes: eight bytes each, the last of which is the length.
  (data (i32.const 1280) "held\00\00\00\04storm\00\00\05backlog\07restart\07stop\00\00\00\04other\00\00\05")

  ;; Never frees: an instance lives for one event.
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $here i32)
    (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $here) (local.get $size)))
    (local.get $here))

  ;; The text that is written, from 2048 on.
  (global $end (mut i32) (i32.const 2048))
  (func $write (param $text i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $text) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))
  (func $write_number (param $number i32)
    (if (i32.ge_u (local.get $number) (i32.const 10))
      (then (call $write_number (i32.div_u (local.get $number) (i32.const 10)))))
    (i32.store8 (global.get $end) (i32.add (i32.const 0x30) (i32.rem_u (local.get $number) (i32.const 10))))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))

  ;; The byte of a text at an index, or 0.
  (func $byte (param $text i32) (param $length i32) (param $index i32) (result i32)
    (if (i32.ge_u (local.get $index) (local.get $length)) (then (return (i32.const 0))))
    (i32.load8_u (i32.add (local.get $text) (local.get $index))))

  ;; Of a post the thread is at 584, the name at 596, and what it replaces at 608.
  (func $converse (param $event i32)
    (local $subject i32)
    (local $length i32)
    (local.set $subject (i32.load offset=44 (local.get $event)))
    (i32.store8 (i32.const 584) (i32.const 1))
    (i32.store (i32.const 588) (i32.load offset=24 (local.get $event)))
    (i32.store (i32.const 592) (i32.load offset=28 (local.get $event)))
    (if (i32.eq (i32.load8_u offset=32 (local.get $event)) (i32.const 3))
      (then
        (i32.store8 (i32.const 596) (i32.const 1))
        (i32.store (i32.const 600) (local.get $subject))
        (i32.store (i32.const 604) (i32.load offset=48 (local.get $event))))
      (else
        (loop $next
          (local.set $length (i32.add (local.get $length) (i32.const 1)))
          (br_if $next
            (i32.and
              (i32.lt_u (local.get $length) (i32.load offset=48 (local.get $event)))
              (i32.ne
                (i32.load8_u (i32.add (local.get $subject) (i32.sub (local.get $length) (i32.const 1))))
                (i32.const 0x78))))) ;; x
        (i32.store8 (i32.const 608) (i32.const 1))
        (i32.store (i32.const 612) (local.get $subject))
        (i32.store (i32.const 616) (local.get $length)))))

  ;; The event: id 0, at 8, host 16, jail 24, action 32, of a ban whether it has a subject 40, which is at 44.
  ;; The result is at 512: its case, at 520 the decision's case, and at 528 its payload.
  (func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
    (local $jail i32)
    (local $length i32)
    (local $request i32)
    (local $digit i32)
    (local.set $jail (i32.load offset=24 (local.get $event)))
    (local.set $length (i32.load offset=28 (local.get $event)))
    (if (i32.eq (call $byte (local.get $jail) (local.get $length) (i32.const 0)) (i32.const 0x7e)) ;; ~
      (then (local.set $request (call $byte (local.get $jail) (local.get $length) (i32.const 1)))))

    (if (i32.eq (local.get $request) (i32.const 0x68)) ;; ~hold: hold({ key: jail, until, tags: [jail] })
      (then
        (i32.store8 (i32.const 552) (i32.const 1))
        (i32.store (i32.const 556) (i32.const 640))
        (i32.store (i32.const 560) (i32.const 1))
        (i32.store (i32.const 640) (local.get $jail))
        (i32.store (i32.const 644) (local.get $length))
        (i32.store8 (i32.const 520) (i32.const 2))
        (i32.store (i32.const 528) (local.get $jail))
        (i32.store (i32.const 532) (local.get $length))
        (local.set $digit
          (i32.sub (call $byte (local.get $jail) (local.get $length) (i32.const 6)) (i32.const 0x30)))
        (if (i32.lt_u (local.get $digit) (i32.const 10))
          (then
            (i32.store8 (i32.const 536) (i32.const 1))
            (f64.store (i32.const 544)
              (f64.add
                (f64.load offset=8 (local.get $event))
                (f64.mul (f64.convert_i32_u (local.get $digit)) (f64.const 1000))))))
        (return (i32.const 512))))

    (if (i32.and
          (i32.eq (local.get $request) (i32.const 0x73))
          (i32.eq (call $byte (local.get $jail) (local.get $length) (i32.const 2)) (i32.const 0x6b))) ;; ~skip
      (then
        (i32.store8 (i32.const 520) (i32.const 1))
        (i32.store (i32.const 528) (i32.const 1056))
        (i32.store (i32.const 532) (i32.const 19))
        (return (i32.const 512))))

    ;; post({ text: plain(…) }): the text's case is at 528.
    (call $write (i32.const 1088) (i32.const 4))
    (if (i32.lt_u (i32.sub (i32.load8_u offset=32 (local.get $event)) (i32.const 3)) (i32.const 2))
      (then
        (call $write (i32.load offset=44 (local.get $event)) (i32.load offset=48 (local.get $event)))
        (call $write (i32.const 1104) (i32.const 4))
        (if (i32.eq (call $byte (i32.load offset=44 (local.get $event)) (i32.const 1) (i32.const 0)) (i32.const 0x65)) ;; e…
          (then (call $converse (local.get $event))))))
    (call $write (local.get $jail) (local.get $length))
    (i32.store (i32.const 532) (i32.const 2048))
    (i32.store (i32.const 536) (i32.sub (global.get $end) (i32.const 2048)))
    (i32.const 512))

  ;; The batch: key 0 (4, 8), cause 12, first 16, last 24, events 32, bans 48, by-jail 72, by-tag 96, listed 112 (116 how
  ;; many). The result is at 512: its case, and at 520 the error, or the decision's case. Of a skip the reason, of a hold
  ;; the time is at 528. Of a post the text's case is at 528 (532, 536 the text), at 540 whether there are blocks (544, 548
  ;; the list).
  (func (export "banhook:plugin/digester@0.1.0#digest") (param $batch i32) (result i32)
    (local $name i32)
    (local $length i32)
    (local $cause i32)
    (local $fault i32)
    (if (i32.load8_u (local.get $batch))
      (then
        (local.set $name (i32.load offset=4 (local.get $batch)))
        (local.set $length (i32.load offset=8 (local.get $batch))))
      (else (if (i32.load offset=76 (local.get $batch))
        (then
          (local.set $name (i32.load (i32.load offset=72 (local.get $batch))))
          (local.set $length (i32.load offset=4 (i32.load offset=72 (local.get $batch))))))))
    (if (i32.eq (call $byte (local.get $name) (local.get $length) (i32.const 0)) (i32.const 0x7e)) ;; ~
      (then (local.set $fault (call $byte (local.get $name) (local.get $length) (i32.const 6)))))

    (if (i32.eq (local.get $fault) (i32.const 0x74)) ;; -trap
      (then (unreachable)))

    (if (i32.eq (local.get $fault) (i32.const 0x65)) ;; -error
      (then
        (i32.store8 (i32.const 512) (i32.const 1))
        (i32.store (i32.const 520) (i32.const 1024))
        (i32.store (i32.const 524) (i32.const 24))
        (return (i32.const 512))))

    (if (i32.eq (local.get $fault) (i32.const 0x73)) ;; -skip
      (then
        (i32.store8 (i32.const 520) (i32.const 1))
        (i32.store (i32.const 528) (i32.const 1056))
        (i32.store (i32.const 532) (i32.const 19))
        (return (i32.const 512))))

    (if (i32.eq (local.get $fault) (i32.const 0x66)) ;; -forever
      (then
        (i32.store8 (i32.const 520) (i32.const 2))
        (f64.store (i32.const 528) (f64.const inf))
        (return (i32.const 512))))

    (if (i32.eq (local.get $fault) (i32.const 0x70)) ;; -past
      (then
        (i32.store8 (i32.const 520) (i32.const 2))
        (return (i32.const 512))))

    (if (i32.eq (local.get $fault) (i32.const 0x77)) ;; -wait
      (then
        (f64.store (i32.const 528) (f64.add (f64.load offset=16 (local.get $batch)) (f64.const 10000)))
        (if (f64.lt (call $now) (f64.load (i32.const 528)))
          (then
            (i32.store8 (i32.const 520) (i32.const 2))
            (return (i32.const 512))))
        (f64.store (i32.const 528) (f64.const 0))))

    (if (i32.eq (local.get $fault) (i32.const 0x62)) ;; -blank
      (then (return (i32.const 512))))

    (if (i32.eq (local.get $fault) (i32.const 0x6c)) ;; -list: blocks of 52 bytes, all headers without text
      (then
        (i32.store8 (i32.const 540) (i32.const 1))
        (i32.store (i32.const 544) (i32.const 524288))
        (i32.store (i32.const 548) (i32.const 2000))))

    (call $write_number (i32.load offset=32 (local.get $batch)))
    (call $write (i32.const 1120) (i32.const 9))
    (local.set $cause (i32.add (i32.const 1280) (i32.mul (i32.const 8) (i32.load8_u offset=12 (local.get $batch)))))
    (call $write (local.get $cause) (i32.load8_u offset=7 (local.get $cause)))
    (call $write (i32.const 1136) (i32.const 2))
    (if (i32.load8_u (local.get $batch))
      (then (call $write (i32.load offset=4 (local.get $batch)) (i32.load offset=8 (local.get $batch))))
      (else (call $write (i32.const 1152) (i32.const 6))))
    (call $write (i32.const 1168) (i32.const 3))
    (call $write_number (i32.load offset=116 (local.get $batch)))
    (call $write (i32.const 1184) (i32.const 9))
    (call $write_number (i32.load offset=48 (local.get $batch)))
    (call $write (i32.const 1200) (i32.const 5))
    (if (i32.eq (local.get $fault) (i32.const 0x6e)) ;; -now
      (then
        (call $write (i32.const 1216) (i32.const 4))
        (call $write_number (i32.trunc_f64_u (f64.div (call $now) (f64.const 1000))))))
    (if (i32.load offset=100 (local.get $batch))
      (then
        (local.set $name (i32.load offset=96 (local.get $batch)))
        (call $write (i32.const 1136) (i32.const 2))
        (call $write_number (i32.load offset=8 (local.get $name)))
        (call $write (i32.const 1232) (i32.const 4))
        (call $write (i32.load (local.get $name)) (i32.load offset=4 (local.get $name)))))
    (i32.store (i32.const 532) (i32.const 2048))
    (i32.store (i32.const 536) (i32.sub (global.get $end) (i32.const 2048)))
    (i32.const 512)))
