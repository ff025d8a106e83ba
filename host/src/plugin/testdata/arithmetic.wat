;; Skips with the bits of results that processors disagree on, in hexadecimal digits. The operands are loaded, so that the
;; compiler cannot compute anything ahead of time.
(module
  (memory (export "memory") 1)
  ;; 0: a signalling NaN and a quiet one with a payload, -1.0, 1.0.
  (data (i32.const 0) "\23\01\00\00\00\00\f0\7f" "\23\01\00\00\00\00\f8\ff" "\00\00\00\00\00\00\f0\bf" "\00\00\00\00\00\00\f0\3f")
  ;; 32: a float NaN with a payload, four times.
  (data (i32.const 32) "\45\00\c0\ff\45\00\c0\ff\45\00\c0\ff\45\00\c0\ff")
  ;; 48: sixteen bytes.
  (data (i32.const 48) "\81\82\83\84\85\86\87\88\89\8a\8b\8c\8d\8e\8f\90")
  ;; 64: sixteen indices past the last byte.
  (data (i32.const 64) "\10\11\12\13\14\15\16\17\18\19\1a\1b\1c\1d\1e\1f")
  ;; 80: the least i16, eight times.
  (data (i32.const 80) "\00\80\00\80\00\80\00\80\00\80\00\80\00\80\00\80")
  ;; 96: 1 + 2^-12, four times; 112: -(1 + 2^-11), four times: of their product and sum, 2^-24 is left if it is rounded once.
  (data (i32.const 96) "\00\08\80\3f\00\08\80\3f\00\08\80\3f\00\08\80\3f")
  (data (i32.const 112) "\00\10\80\bf\00\10\80\bf\00\10\80\bf\00\10\80\bf")
  (global $end (mut i32) (i32.const 1024))

  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))

  ;; Writes a space, and the digits of a number.
  (func $write (param $bits i64)
    (local $left i32)
    (local.set $left (i32.const 16))
    (call $byte (i32.const 0x20))
    (loop $digit
      (local.set $bits (i64.rotl (local.get $bits) (i64.const 4)))
      (call $byte (i32.load8_u offset=2048 (i32.and (i32.wrap_i64 (local.get $bits)) (i32.const 15))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $digit (local.get $left))))
  (data (i32.const 2048) "0123456789abcdef")
  (func $byte (param $byte i32)
    (i32.store8 (global.get $end) (local.get $byte))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  (func $write_float (param $value f64) (call $write (i64.reinterpret_f64 (local.get $value))))
  (func $write_lane (param $value v128) (call $write (i64x2.extract_lane 0 (local.get $value))))

  (func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
    (local $zero f64)
    (call $write_float (f64.add (f64.load (i32.const 0)) (f64.load (i32.const 24))))
    (call $write_float (f64.mul (f64.load (i32.const 8)) (f64.load (i32.const 24))))
    (call $write_float (f64.sqrt (f64.load (i32.const 16))))
    (call $write_float (f64.div (local.get $zero) (f64.sub (f64.load (i32.const 24)) (f64.load (i32.const 24)))))
    (call $write (i64.extend_i32_u (i32.reinterpret_f32 (f32.demote_f64 (f64.load (i32.const 8))))))
    (call $write_lane (f32x4.add (v128.load (i32.const 32)) (v128.load (i32.const 32))))
    (call $write_lane (i8x16.relaxed_swizzle (v128.load (i32.const 48)) (v128.load (i32.const 64))))
    (call $write_lane (i32x4.relaxed_trunc_f32x4_s (v128.load (i32.const 32))))
    (call $write_lane (i16x8.relaxed_q15mulr_s (v128.load (i32.const 80)) (v128.load (i32.const 80))))
    (call $write_lane (f32x4.relaxed_madd (v128.load (i32.const 96)) (v128.load (i32.const 96)) (v128.load (i32.const 112))))
    ;; ok(skip(…))
    (i32.store8 (i32.const 520) (i32.const 1))
    (i32.store (i32.const 528) (i32.const 1024))
    (i32.store (i32.const 532) (i32.sub (global.get $end) (i32.const 1024)))
    (i32.const 512)))
