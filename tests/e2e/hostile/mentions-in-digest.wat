;; Holds the event, and mentions everybody in its digest, on a route that does not allow it.
(data (i32.const 1024) "own words <!channel> <!here|here> <!everyone> <@U012AB3CD> <!subteam^S012AB3CD>")
(func $attack (result i32)
  (i32.store8 (i32.const 520) (i32.const 2)) ;; hold({ key: "", until: 1970 }): it closes immediately
  (i32.store8 (i32.const 536) (i32.const 1))
  (i32.const 512))
(func (export "banhook:plugin/digester@0.1.0#digest") (param $batch i32) (result i32)
  (i32.store8 (i32.const 528) (i32.const 1)) ;; mrkdwn
  (call $post (i32.const 1024) (i32.const 79)))
