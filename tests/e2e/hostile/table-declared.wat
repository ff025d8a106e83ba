;; Declares a table of ten million elements, needed at each event and at load.
(table $table 10000000 funcref)
(func $attack (result i32) (unreachable))
