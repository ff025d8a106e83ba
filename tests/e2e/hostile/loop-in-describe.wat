;; Never returns from the description of itself at load. Formats events correctly.
(data (i32.const 1024) "own words after the description")
(func $attack (result i32) (call $post (i32.const 1024) (i32.const 31)))
(func (export "banhook:plugin/descriptor@0.1.0#describe") (result i32)
  (loop $again (br $again))
  (unreachable))
