;; Returns a string of 1,000 MiB that is really in memory, on a route with a memory limit of one GiB.
(func $attack (result i32)
  (call $take (i32.const 16000))
  (call $err (i32.const 65536) (i32.const 1048510464)))
