;; Asks about past bans and skips with the answer: a digit each for bans, subjects, hosts and the count of the first jail.
;; What it asks is the first letter of the event's id: s(ubject), j(ail), w(ithin a minute), anything else: everything.
;; In a jail whose name begins with ~ it traps where there was no ban before.
(module
  (import "banhook:plugin/history@0.1.0" "bans" (func $bans
    (param $has_subject i32) (param $subject i32) (param $subject_length i32)
    (param $has_jail i32) (param $jail i32) (param $jail_length i32)
    (param $has_host i32) (param $host i32) (param $host_length i32)
    (param $has_within i32) (param $within i32)
    (param $summary i32)))

  (memory (export "memory") 2)

  ;; Never frees: an instance lives for one event.
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $here i32)
    (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $here) (local.get $size)))
    (local.get $here))

  ;; The event: id 0, at 8, host 16, jail 24, action 32, of a ban the subject 36.
  (func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
    (local $what i32)
    (local.set $what (i32.load8_u (i32.load (local.get $event))))
    (call $bans
      (i32.eq (local.get $what) (i32.const 0x73)) (i32.load offset=36 (local.get $event)) (i32.load offset=40 (local.get $event))
      (i32.eq (local.get $what) (i32.const 0x6a)) (i32.load offset=24 (local.get $event)) (i32.load offset=28 (local.get $event))
      (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.eq (local.get $what) (i32.const 0x77)) (i32.const 60)
      (i32.const 1024))
    (if (i32.and
          (i32.eq (i32.load8_u (i32.load offset=24 (local.get $event))) (i32.const 0x7e))
          (i32.eqz (i32.load (i32.const 1024))))
      (then (unreachable)))
    ;; The summary: bans 0, subjects 4, hosts 8, first 16, last 32, by-jail 48: name 0, count 8.
    (i32.store8 (i32.const 1100) (i32.add (i32.const 0x30) (i32.load (i32.const 1024))))
    (i32.store8 (i32.const 1101) (i32.add (i32.const 0x30) (i32.load (i32.const 1028))))
    (i32.store8 (i32.const 1102) (i32.add (i32.const 0x30) (i32.load (i32.const 1032))))
    (i32.store8 (i32.const 1103) (i32.const 0x30))
    (if (i32.load (i32.const 1076))
      (then (i32.store8 (i32.const 1103) (i32.add (i32.const 0x30) (i32.load offset=8 (i32.load (i32.const 1072)))))))
    ;; ok(skip(text))
    (i32.store8 (i32.const 520) (i32.const 1))
    (i32.store (i32.const 528) (i32.const 1100))
    (i32.store (i32.const 532) (i32.const 4))
    (i32.const 512)))
