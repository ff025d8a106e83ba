;; The shared part of most attackers. An attacker's text, which defines `$attack`, precedes it, so that its imports come
;; first; both together are a module.
;;
;; It attacks when the event's jail begins with `~`, and skips any other event, including those of the host's smoke test at
;; load. So the attack runs when a test wants it to.
;;
;; Memory: 512 the result, 1024 the attacker's texts, 4096 its scratch space, 16384 data from the host, 65536 free.

(memory $memory (export "memory") 2)

;; Never frees: an instance lives for one event.
(global $free (mut i32) (i32.const 16384))
(func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
  (local $here i32)
  (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
  (global.set $free (i32.add (local.get $here) (local.get $size)))
  (local.get $here))

;; format(event) -> result<decision, string>. The jail's pointer is at offset 24 of the event.
(func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
  (if (i32.eq (i32.load8_u (i32.load offset=24 (local.get $event))) (i32.const 0x7e)) ;; ~
    (then (return (call $attack))))
  (call $skip (i32.const 0) (i32.const 0)))

;; The result: at 512 its case, at 520 the error, or the decision's case and at 528 its payload.
(func $err (param $text i32) (param $length i32) (result i32)
  (i32.store8 (i32.const 512) (i32.const 1))
  (i32.store (i32.const 520) (local.get $text))
  (i32.store (i32.const 524) (local.get $length))
  (i32.const 512))

(func $skip (param $reason i32) (param $length i32) (result i32)
  (i32.store8 (i32.const 520) (i32.const 1))
  (i32.store (i32.const 528) (local.get $reason))
  (i32.store (i32.const 532) (local.get $length))
  (i32.const 512))

;; post(message { text: plain(text) })
(func $post (param $text i32) (param $length i32) (result i32)
  (i32.store (i32.const 532) (local.get $text))
  (i32.store (i32.const 536) (local.get $length))
  (i32.const 512))

;; post(message { text: plain(text), blocks }); a block has 52 bytes, its case first, at 4 its payload.
(func $post_blocks (param $text i32) (param $length i32) (param $blocks i32) (param $count i32) (result i32)
  (i32.store8 (i32.const 540) (i32.const 1))
  (i32.store (i32.const 544) (local.get $blocks))
  (i32.store (i32.const 548) (local.get $count))
  (call $post (local.get $text) (local.get $length)))

;; Grows the memory, or traps.
(func $take (param $pages i32)
  (if (i32.eq (memory.grow $memory (local.get $pages)) (i32.const -1))
    (then (unreachable))))
