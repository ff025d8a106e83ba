;; Never gets so far as to be asked: it loops while it is instantiated, so at each event and already at load.
(start $loop)
(func $loop (loop $again (br $again)))
(func $attack (result i32) (unreachable))
