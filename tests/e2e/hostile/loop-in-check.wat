;; Never returns from the check of its settings at load. Formats events correctly.
(data (i32.const 1024) "own words after the check")
(func $attack (result i32) (call $post (i32.const 1024) (i32.const 25)))
(func (export "banhook:plugin/checker@0.1.0#check") (result i32)
  (loop $again (br $again))
  (unreachable))
