;; Fails with an error that would clear a terminal, forge lines in log and channel, and mention everybody.
(data (i32.const 1024) "oops \1b[2J\1b]0;title\07\0d\0a2026-01-01T00:00:00Z ERROR forged \e2\80\ae <!channel> <https://evil.example|bank> end")
(func $attack (result i32) (call $err (i32.const 1024) (i32.const 101)))
