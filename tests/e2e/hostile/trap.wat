;; Traps, in a function whose name would clear a terminal and forge a line of the log.
(func $attack (result i32) (call $"\1b[2J\0a2026-01-01T00:00:00Z ERROR forged") (unreachable))
(func $"\1b[2J\0a2026-01-01T00:00:00Z ERROR forged" (unreachable))
