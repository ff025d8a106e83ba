;; Declares forty tables.
(func $attack (result i32) (unreachable))
(table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref)
(table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref)
(table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref)
(table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref)
(table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref)
(table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref)
(table 9 funcref) (table 9 funcref) (table 9 funcref) (table 9 funcref)
