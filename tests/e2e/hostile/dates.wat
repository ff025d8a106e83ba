;; Posts dates that do not exist: NaN, infinities, and numbers beyond any calendar.
(data (i32.const 1024) "own words on dates")
(func $attack (result i32)
  ;; Spans of 32 bytes: one text, five dates, at 8 their payload.
  (i32.store (i32.const 4104) (i32.const 1024))
  (i32.store (i32.const 4108) (i32.const 18))
  (i32.store8 (i32.const 4128) (i32.const 3))
  (f64.store (i32.const 4136) (f64.const nan))
  (i32.store8 (i32.const 4160) (i32.const 3))
  (f64.store (i32.const 4168) (f64.const inf))
  (i32.store8 (i32.const 4192) (i32.const 3))
  (f64.store (i32.const 4200) (f64.const -inf))
  (i32.store8 (i32.const 4224) (i32.const 3))
  (f64.store (i32.const 4232) (f64.const 1e300))
  (i32.store8 (i32.const 4256) (i32.const 3))
  (f64.store (i32.const 4264) (f64.const -1e17))
  (i32.store8 (i32.const 528) (i32.const 2)) ;; rich
  (call $post (i32.const 4096) (i32.const 6)))
