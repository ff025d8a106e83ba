;; Posts plain text that would clear a terminal, forge a second line, change the reading direction, and mention everybody.
(data (i32.const 1024) "own words \1b[2J\1b]0;title\07\0d\0aforged \e2\80\ae\e2\80\8b <!channel> <@U012AB3CD> \c2\9b31m end")
(func $attack (result i32) (call $post (i32.const 1024) (i32.const 73)))
