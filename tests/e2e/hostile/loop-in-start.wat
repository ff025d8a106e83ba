;; Loops during instantiation, at each event and at load.
(start $loop)
(func $loop (loop $again (br $again)))
(func $attack (result i32) (unreachable))
