;; Returns a valid result, and loops in the clean-up after it.
(data (i32.const 1024) "own words, and no end")
(func $attack (result i32) (call $post (i32.const 1024) (i32.const 21)))
(func (export "cabi_post_banhook:plugin/formatter@0.1.0#format") (param i32)
  (loop $again (br $again)))
