;; Posts markup that mentions everybody, on a route that does not allow it.
(data (i32.const 1024) "own words <!channel> <!here|here> <!everyone> <@U012AB3CD> <!subteam^S012AB3CD>")
(func $attack (result i32)
  (i32.store8 (i32.const 528) (i32.const 1)) ;; mrkdwn
  (call $post (i32.const 1024) (i32.const 79)))
