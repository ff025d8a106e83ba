;; Asks about past bans and skips with the answer: a digit each for bans, subjects, hosts and the count of the first jail.
;; What it asks is the first letter of the event's id: s(ubject), n(etwork, which is the jail), j(ail), w(ithin a minute),
;; h (everything, with a hint), anything else: everything. Without an answer it skips with the code of the error.
;; In a jail whose name begins with ~ it traps where there was no ban before.
(module
  (import "banhook:plugin/history@0.1.0" "bans" (func $bans
    (param $has_subject i32) (param $is_network i32) (param $subject i32) (param $subject_length i32)
    (param $has_jail i32) (param $jail i32) (param $jail_length i32)
    (param $has_host i32) (param $host i32) (param $host_length i32)
    (param $has_within i32) (param $within i32)
    (param $has_hints i32) (param $hints i32) (param $hints_length i32)
    (param $summary i32)))

  (memory (export "memory") 2)
  ;; A list of one hint: the pointers and lengths of its name and value.
  (data (i32.const 1200) "\d0\04\00\00\03\00\00\00\d0\04\00\00\03\00\00\00")
  (data (i32.const 1232) "new")

  ;; Never frees: an instance lives for one event.
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $here i32)
    (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $here) (local.get $size)))
    (local.get $here))

  ;; The event: id 0, at 8, host 16, jail 24, action 32, of a ban whether it has a subject 40, which is at 44.
  (func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
    (local $what i32)
    (local.set $what (i32.load8_u (i32.load (local.get $event))))
    (call $bans
      (i32.or (i32.eq (local.get $what) (i32.const 0x73)) (i32.eq (local.get $what) (i32.const 0x6e)))
      (i32.eq (local.get $what) (i32.const 0x6e))
      (select
        (i32.load offset=24 (local.get $event)) (i32.load offset=44 (local.get $event))
        (i32.eq (local.get $what) (i32.const 0x6e)))
      (select
        (i32.load offset=28 (local.get $event)) (i32.load offset=48 (local.get $event))
        (i32.eq (local.get $what) (i32.const 0x6e)))
      (i32.eq (local.get $what) (i32.const 0x6a)) (i32.load offset=24 (local.get $event)) (i32.load offset=28 (local.get $event))
      (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.eq (local.get $what) (i32.const 0x77)) (i32.const 60)
      (i32.eq (local.get $what) (i32.const 0x68)) (i32.const 1200) (i32.const 1)
      (i32.const 1024))
    ;; The answer: whether it is an error 0; an error's code 8.
    (if (i32.load8_u (i32.const 1024))
      (then
        (i32.store8 (i32.const 520) (i32.const 1))
        (i32.store (i32.const 528) (i32.load (i32.const 1032)))
        (i32.store (i32.const 532) (i32.load (i32.const 1036)))
        (return (i32.const 512))))
    (if (i32.and
          (i32.eq (i32.load8_u (i32.load offset=24 (local.get $event))) (i32.const 0x7e))
          (i32.eqz (i32.load (i32.const 1032))))
      (then (unreachable)))
    ;; The summary: bans 8, subjects 12, hosts 16, first 24, last 40, by-jail 56, by-host 64: name 0, count 8; labels 72.
    (i32.store8 (i32.const 1120) (i32.add (i32.const 0x30) (i32.load (i32.const 1032))))
    (i32.store8 (i32.const 1121) (i32.add (i32.const 0x30) (i32.load (i32.const 1036))))
    (i32.store8 (i32.const 1122) (i32.add (i32.const 0x30) (i32.load (i32.const 1040))))
    (i32.store8 (i32.const 1123) (i32.const 0x30))
    (if (i32.load (i32.const 1084))
      (then (i32.store8 (i32.const 1123) (i32.add (i32.const 0x30) (i32.load offset=8 (i32.load (i32.const 1080)))))))
    ;; ok(skip(text))
    (i32.store8 (i32.const 520) (i32.const 1))
    (i32.store (i32.const 528) (i32.const 1120))
    (i32.store (i32.const 532) (i32.const 4))
    (i32.const 512)))
