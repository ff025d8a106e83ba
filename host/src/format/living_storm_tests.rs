//! Storms where messages can be changed, through a plugin, a store and a clock that is handed in: how one ends, and what is no
//! part of it.

use super::*;
use crate::message::Reference;
use crate::store::{OutboundMessage, WebhookState};

/// A route with an app, whose storms end after a minute.
fn app_fixture(lines: &str) -> RouteFixture {
    RouteFixture::new(&format!(
        "webhook = 'app'\nstorm = {{ threshold = 2, within = '60s' }}\ndigest_window = '10s'\n{lines}\n\
         [webhooks.app]\ntarget = 'slack-app'\ntoken = 'xoxb-1-abc'\nchannel = 'C1'"
    ))
}

/// Sends what is ready: the messages, and then the changes, each with what it changes.
fn sent(fixture: &mut RouteFixture) -> (Vec<String>, Vec<(i64, String)>) {
    let (mut posts, mut changes) = (Vec::new(), Vec::new());
    while let Some(message) = fixture.store.next_in_order("app", 0).unwrap() {
        posts.push(send(fixture, &message));
    }
    while let Some(change) = fixture.store.next_change("app").unwrap() {
        changes.push((change.changes.unwrap(), send(fixture, &change)));
    }
    (posts, changes)
}

/// Sends a message, and returns its text.
fn send(fixture: &mut RouteFixture, message: &OutboundMessage) -> String {
    let (now, state) = (Timestamp(fixture.now), WebhookState::default());
    let reference = Reference { channel: "C1".to_owned(), id: message.id.to_string(), of: String::new(), thread: None };
    assert!(fixture.store.begin_attempt(message, "app", &state, now).unwrap());
    fixture.store.record_accepted(message.id, Some(&reference), None, "app", &state, now).unwrap();
    let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
    body["text"].as_str().unwrap().to_owned()
}

fn headlines(changes: &[(i64, String)]) -> Vec<&str> {
    changes.iter().map(|(_, text)| text.lines().next().unwrap()).collect()
}

#[test]
fn storm_that_is_over_says_so_in_its_message() {
    let mut fixture = app_fixture("");
    fixture.bans(7);
    fixture.pass(10);
    let (posts, changes) = sent(&mut fixture);
    assert!(posts.len() == 3 && posts[2].contains("5 more bans") && changes.is_empty(), "{posts:#?} {changes:#?}");
    fixture.bans(4);
    fixture.pass(10);
    assert_eq!(headlines(&sent(&mut fixture).1), ["⛔ 9 more bans on `web-1` in 10 s"]);
    // It goes on for as long as another digest may be part of it.
    fixture.pass(59);
    assert_eq!(sent(&mut fixture), (vec![], vec![]));
    fixture.pass(1);
    let (posts, changes) = sent(&mut fixture);
    assert_eq!(headlines(&changes), ["✅ Storm over: 9 more bans on `web-1` in 10 s"]);
    assert!(posts.is_empty() && fixture.live.next_closing(&fixture.store).unwrap().is_none());
    assert_eq!(fixture.counts(), (2, 9, 0));
    assert!(fixture.store.is_drained().unwrap());
    // The next one is another.
    fixture.pass(60);
    fixture.bans(5);
    fixture.pass(10);
    let (posts, changes) = sent(&mut fixture);
    assert!(posts.len() == 3 && posts[2].contains("3 more bans") && changes.is_empty(), "{posts:#?} {changes:#?}");
}

#[test]
fn storm_that_goes_on_is_not_over() {
    let mut fixture = app_fixture("");
    fixture.bans(3);
    fixture.pass(10);
    for _ in 0..10 {
        // Each of them alone: what one process knows of the storm, the next one knows as well.
        fixture.live.recent_posts = None;
        fixture.bans(2);
        fixture.pass(40);
        let (_, changes) = sent(&mut fixture);
        assert!(!headlines(&changes).iter().any(|line| line.contains("over")), "{changes:#?}");
    }
    fixture.pass(100);
    assert!(sent(&mut fixture).1.pop().unwrap().1.starts_with("✅ Storm over: "));
}

#[test]
fn storm_that_became_another_message_is_over_in_that() {
    let mut fixture = app_fixture("");
    fixture.bans(12);
    fixture.pass(10);
    assert_eq!(sent(&mut fixture).0.len(), 3);
    fixture.bans(150);
    fixture.pass(10);
    let (posts, changes) = sent(&mut fixture);
    assert!(posts.len() == 1 && posts[0].contains("150 more bans") && changes.is_empty(), "{posts:#?} {changes:#?}");
    fixture.pass(60);
    assert_eq!(headlines(&sent(&mut fixture).1), ["✅ Storm over: 150 more bans on `web-1` in 1 s"]);
    fixture.pass(600);
    assert_eq!(sent(&mut fixture), (vec![], vec![]));
}

#[test]
fn end_of_a_storm_is_merged_into_what_was_not_attempted() {
    let mut fixture = app_fixture("");
    fixture.bans(5);
    // Nothing is sent meanwhile.
    fixture.pass(10);
    fixture.pass(60);
    let (posts, changes) = sent(&mut fixture);
    assert!(posts.len() == 3 && posts[2].starts_with("✅ Storm over: 3 more bans"), "{posts:#?}");
    assert_eq!((changes, fixture.counts()), (vec![], (2, 3, 0)));
}

#[test]
fn end_of_a_storm_that_nothing_shows_is_no_message() {
    // What people see of the queue does not have it either.
    let open = |fixture: &RouteFixture| fixture.store.list_messages(true, true, 9).unwrap().len();
    let mut fixture = app_fixture("");
    fixture.bans(5);
    fixture.pass(10);
    sent(&mut fixture);
    assert_eq!(open(&fixture), 0);
    assert_eq!(fixture.store.queues(Timestamp(fixture.now)).unwrap().len(), 0);
    // The route has another webhook by then.
    let elsewhere = "webhook = 'main'\nstorm = { threshold = 2, within = '60s' }";
    let (_, _, live) = load(fixture.store.folder(), elsewhere);
    fixture.live = live;
    fixture.pass(100);
    assert_eq!((sent(&mut fixture), fixture.sent().len(), open(&fixture)), ((vec![], vec![]), 0, 0));
    assert!(fixture.store.is_drained().unwrap());

    // Or the route is not configured.
    let mut fixture = app_fixture("");
    fixture.bans(5);
    fixture.pass(10);
    sent(&mut fixture);
    let config =
        Config::parse("webhooks.main.url = 'http://127.0.0.1:1/'\nroutes = []", Path::new("/c.toml"), &|_| None);
    let config = config.unwrap_or_else(|_| {
        let other = "webhooks.main.url = 'http://127.0.0.1:1/'\n[[routes]]\nname = 'other'\nwebhook = 'main'";
        Config::parse(other, Path::new("/c.toml"), &|_| None).unwrap()
    });
    let now = Timestamp(fixture.now);
    while format_removed_route("sec", &config, &fixture.defaults, &mut fixture.store, now).unwrap() > 0 {}
    assert_eq!((sent(&mut fixture), open(&fixture)), ((vec![], vec![]), 0));
    assert!(fixture.store.is_drained().unwrap());
}

#[test]
fn end_of_a_storm_that_cannot_be_shown_is_forgotten() {
    for lost in [true, false] {
        let mut fixture = app_fixture("");
        fixture.bans(5);
        fixture.pass(10);
        sent(&mut fixture);
        fixture.pass(60);
        let change = fixture.store.next_change("app").unwrap().unwrap();
        fixture.store.detach(&change, lost, Timestamp(fixture.now)).unwrap();
        assert!(fixture.store.is_drained().unwrap());
        assert_eq!((sent(&mut fixture), fixture.counts()), ((vec![], vec![]), (2, 3, 0)));
    }
    // Neither does it fail over.
    let mut fixture = app_fixture("");
    fixture.bans(5);
    fixture.pass(10);
    sent(&mut fixture);
    fixture.pass(60);
    fixture.store.reassign("sec", ("app", "main"), Some("app")).unwrap();
    assert_eq!(fixture.sent().len(), 0);
    assert!(fixture.store.is_drained().unwrap());
}

#[test]
fn storm_that_cannot_be_changed_goes_on_in_no_message_that_counts_more() {
    for lost in [true, false] {
        let mut fixture = app_fixture("");
        fixture.bans(4);
        fixture.pass(10);
        sent(&mut fixture);
        fixture.bans(3);
        fixture.pass(10);
        let change = fixture.store.next_change("app").unwrap().unwrap();
        fixture.store.detach(&change, lost, Timestamp(fixture.now)).unwrap();
        let (posts, changes) = sent(&mut fixture);
        assert!(posts.len() == 1 && posts[0].contains("5 more bans") && changes.is_empty(), "{posts:#?} {changes:#?}");
        fixture.bans(2);
        fixture.pass(10);
        fixture.pass(60);
        let (posts, changes) = sent(&mut fixture);
        let all: Vec<_> = posts.iter().chain(changes.iter().map(|(_, text)| text)).collect();
        assert!(changes.iter().all(|(changed, _)| *changed != change.id), "{changes:#?}");
        assert!(all.last().unwrap().contains(if lost { "2 more bans" } else { "4 more bans" }), "{all:#?}");
        assert_eq!(fixture.counts(), (2, 7, 0));
    }
}

#[test]
fn storm_on_a_target_without_changes_has_no_end() {
    let mut fixture =
        RouteFixture::new("webhook = 'main'\nstorm = { threshold = 2, within = '60s' }\ndigest_window = '10s'");
    fixture.bans(5);
    fixture.pass(10);
    let sent = fixture.sent();
    assert!(sent.len() == 3 && sent[2].contains("3 more bans"), "{sent:#?}");
    assert_eq!(fixture.live.next_closing(&fixture.store).unwrap(), None);
    assert!(fixture.store.is_drained().unwrap());
}

#[test]
fn drain_ends_a_storm_at_once() {
    let mut fixture = app_fixture("");
    fixture.bans(5);
    fixture.pass(10);
    sent(&mut fixture);
    fixture.bans(2);
    fixture.work(true);
    let (posts, changes) = sent(&mut fixture);
    assert_eq!((posts.len(), headlines(&changes)), (0, vec!["✅ Storm over: 5 more bans on `web-1` in 10 s"]));
    assert!(fixture.store.is_drained().unwrap());
    // What follows is part of it.
    fixture.bans(2);
    fixture.pass(10);
    assert_eq!(headlines(&sent(&mut fixture).1), ["⛔ 7 more bans on `web-1` in 10 s"]);
}

#[test]
fn plugin_knows_that_a_storm_is_over_by_a_label() {
    let mut fixture = app_fixture("settings.digest = '{{ totals.events }} {{ labels.storm }}!'");
    fixture.bans(5);
    fixture.pass(10);
    assert!(sent(&mut fixture).0[2].contains("3 !"));
    fixture.pass(60);
    assert_eq!(headlines(&sent(&mut fixture).1), ["3 over!"]);
}

#[test]
fn digest_held_when_the_clock_is_set_back_is_asked_for_at_its_time() {
    let (mut fixture, _plugin) = digests_fixture("storm = false\ndigest_window = '2s'");
    fixture.happens("~hold-wait", EventDetails::Ban(banned("203.0.113.7", false)));
    fixture.work(false);
    fixture.now -= 3_600_000;
    // Otherwise this would not end.
    fixture.work(false);
    assert_eq!(fixture.counts(), (0, 0, 1));
}

/// Posts, and asks for the webhook that is called like the jail. A ban has the name of its subject, which an unban replaces.
const ASKS_AND_REPLACES: &str = r#"(module
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 16384))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $here i32)
        (local.set $here (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
        (global.set $free (i32.add (local.get $here) (local.get 3)))
        (local.get $here))
    (data (i32.const 1024) "own words")
    (data (i32.const 1040) "webhook")
    (func (export "banhook:plugin/formatter@0.1.0#format") (param $event i32) (result i32)
        (local $name i32)
        (i32.store (i32.const 2048) (i32.const 1040))
        (i32.store (i32.const 2052) (i32.const 7))
        (i64.store (i32.const 2056) (i64.load offset=24 (local.get $event)))
        (i32.store (i32.const 532) (i32.const 1024))
        (i32.store (i32.const 536) (i32.const 9))
        (i32.store8 (i32.const 560) (i32.const 1))
        (i32.store (i32.const 564) (i32.const 2048))
        (i32.store (i32.const 568) (i32.const 1))
        ;; The name is at 596, and what the message replaces at 608: the subject, of a ban (3) or of an unban (4).
        (local.set $name
          (select (i32.const 596) (i32.const 608) (i32.eq (i32.load8_u offset=32 (local.get $event)) (i32.const 3))))
        (i32.store8 (local.get $name) (i32.const 1))
        (i64.store offset=4 align=4 (local.get $name) (i64.load offset=44 align=4 (local.get $event)))
        (i32.const 512)))"#;

#[test]
fn unban_changes_its_message_at_the_webhook_that_the_plugin_asks_for_also_in_a_storm() {
    let temp = tempfile::tempdir().unwrap();
    let plugin = temp.path().join("asks.wasm");
    std::fs::write(&plugin, crate::plugin::guest::plugin(ASKS_AND_REPLACES, "plugin")).unwrap();
    let ops = "[webhooks.ops]\ntarget = 'slack-app'\ntoken = 'xoxb-1-abc'\nchannel = 'C2'";
    let mut fixture = RouteFixture::new(&format!(
        "plugin = '{}'\nwebhook = 'app'\nplugin_webhooks = ['ops']\nstorm = {{ threshold = 2, within = '60s' }}\n\
         restart = false\n[webhooks.app]\ntarget = 'slack-app'\ntoken = 'xoxb-1-abc'\nchannel = 'C1'\n{ops}",
        plugin.display()
    ));
    fixture.happens("ops", EventDetails::Ban(banned("203.0.113.7", false)));
    fixture.work(false);
    let ban = fixture.store.next_in_order("ops", 0).unwrap().unwrap();
    let now = Timestamp(fixture.now);
    let reference = Reference { channel: "C2".to_owned(), id: "1".to_owned(), of: String::new(), thread: None };
    assert!(fixture.store.begin_attempt(&ban, "ops", &WebhookState::default(), now).unwrap());
    fixture.store.record_accepted(ban.id, Some(&reference), None, "ops", &WebhookState::default(), now).unwrap();
    for number in 1..5 {
        fixture.happens("app", EventDetails::Ban(banned(&format!("198.51.100.{number}"), false)));
    }
    fixture.happens("ops", EventDetails::Unban(banned("203.0.113.7", false)));
    fixture.work(false);
    let change = fixture.store.next_change("ops").unwrap().expect("the unban is in the digest of the storm");
    assert_eq!(change.changes, Some(ban.id));
}
