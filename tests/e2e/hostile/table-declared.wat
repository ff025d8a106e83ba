;; Declares a table of ten million elements, so wants it at each event and already at load.
(table $table 10000000 funcref)
(func $attack (result i32) (unreachable))
