;; Hands over a string of 1,000 MiB that is really there: for a route that gives its plugin a gigabyte.
(func $attack (result i32)
  (call $take (i32.const 16000))
  (call $err (i32.const 65536) (i32.const 1048510464)))
