;; Logs text that would forge a line of the log and clear the reader's terminal.
(import "banhook:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
(data (i32.const 1024) "own words after the forgery")
(data (i32.const 2048) "harmless\0d\0a2026-01-01T00:00:00Z ERROR forged \1b[2J\1b]0;title\07 \c2\9b31m \e2\80\ae")
(func $attack (result i32)
  (call $log (i32.const 3) (i32.const 2048) (i32.const 68))
  (call $post (i32.const 1024) (i32.const 27)))
