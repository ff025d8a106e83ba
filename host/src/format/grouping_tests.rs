//! Storms, restarts, backlogs and what plugins hold, through the built-in plugin, a store and a clock that is handed in.

use std::path::Path;
use std::time::Duration;

use crate::config::{Config, Storm};
use crate::event::{Ban, EventDetails, Timestamp};
use crate::format::grouping::RecentPosts;
use crate::format::route_fixture::{RouteFixture, banned, load};
use crate::format::webhook_profile::WebhookProfile;
use crate::format::*;
use crate::message::Target;
use crate::route::route_events;
use crate::store::StateDir;

#[path = "living_storm_tests.rs"]
mod living_storm;

#[test]
fn pending_events_follow_the_route_to_its_new_webhook() {
    let mut fixture =
        RouteFixture::new("webhook = 'main'\n[webhooks.new]\nurl = 'http://127.0.0.1:2/'\ntarget = 'mattermost'");
    fixture.bans(20);
    fixture.work(false);
    assert_eq!(fixture.sent().len(), 8);
    // Routed, and not formatted yet.
    fixture.bans(3);
    route_events(&fixture.routes, &fixture.defaults, &mut fixture.store, None, Timestamp(fixture.now)).unwrap();
    let new = "new".to_owned();
    (fixture.live.route.webhook, fixture.routes[0].webhook) = (new.clone(), new);
    fixture.live.profile.target = Target::MATTERMOST;
    fixture.live.plugin.policy.target = Target::MATTERMOST;
    fixture.bans(2);
    fixture.pass(30);
    assert_eq!(fixture.store.pending_webhooks().unwrap(), ["new"]);
    let message = fixture.store.next_in_order("new", 0).unwrap().unwrap();
    assert!(message.body.contains("17 more bans") && !message.body.contains("\"blocks\""), "{}", message.body);
    assert_eq!(fixture.counts(), (8, 0, 17));
}

#[test]
fn backlog_at_the_fallback_webhook_is_grouped() {
    let own = "webhook = 'main'\nfallback_webhook = 'other'\nstorm = false";
    let mut fixture =
        RouteFixture::new(&format!("{own}\n[webhooks.other]\nurl = 'http://127.0.0.1:2/'\nrate = '10/m'"));
    // Fewer than its own webhook takes in a minute, and more than the other one does.
    fixture.bans(20);
    fixture.work(false);
    assert_eq!(fixture.store.reassign("sec", ("main", "other"), None).unwrap(), 20);
    fixture.bans(1);
    fixture.work(false);
    let queues = fixture.store.queues(Timestamp(fixture.now)).unwrap();
    assert_eq!((queues["other"].pending, queues["other"].digest_events, queues["main"].pending), (0, 20, 1));
}

#[test]
fn reformatted_events_are_no_storm() {
    let mut fixture = RouteFixture::new("");
    fixture.bans(8);
    fixture.work(false);
    for _ in 0..2 {
        assert_eq!(fixture.store.reformat("main", Target::ZULIP).unwrap(), 8);
        fixture.work(false);
    }
    // All that a storm lets through were sent once, so the next one is part of it.
    fixture.bans(1);
    fixture.work(false);
    assert_eq!(fixture.sent().len(), 8);
    assert_eq!(fixture.counts(), (8, 0, 1));
    fixture.pass(30);
    assert_eq!(fixture.sent().len(), 1);
}

#[test]
fn route_with_a_rejected_update_still_follows_its_webhook() {
    let mut fixture = RouteFixture::new("");
    fixture.bans(10);
    fixture.work(false);
    assert_eq!(fixture.sent().len(), 8);
    let new = "webhook = 'new'\nsettings = { ban = '{{ jial }}' }\n[webhooks.new]\nurl = 'http://127.0.0.1:2/'";
    let (routes, _, fresh) = load(fixture.store.folder(), new);
    // As soon as the configuration is read; what is wrong with the plugin comes out later.
    let profile = WebhookProfile { target: Target::SLACK, messages_per_minute: 60 };
    fixture.live.redirect(&routes[0], &WebhookProfiles::from([("new".to_owned(), profile)]));
    fixture.routes = routes;
    assert!(!fixture.live.replace(fresh));
    fixture.bans(2);
    fixture.pass(30);
    assert_eq!(fixture.store.pending_webhooks().unwrap(), ["new"]);
    // The digest that was open, and what came after.
    for number in 0..2 {
        let message = fixture.store.next_in_order("new", number).unwrap().unwrap();
        assert!(message.body.contains("2 more bans") && !message.body.contains("plugin"), "{}", message.body);
    }
    assert_eq!(fixture.counts(), (8, 0, 4));
}

#[test]
fn storm_is_a_few_messages_that_count_every_event() {
    let mut fixture = RouteFixture::new("");
    fixture.bans(500);
    fixture.work(false);
    assert_eq!((fixture.sent().len(), fixture.counts()), (8, (8, 0, 492)));
    fixture.pass(20);
    fixture.bans(300);
    fixture.pass(9);
    assert_eq!(fixture.sent().len(), 0);
    fixture.pass(1);
    let sent = fixture.sent();
    assert_eq!((sent.len(), fixture.counts()), (1, (8, 792, 0)));
    assert!(sent[0].contains("792 more bans"), "{}", sent[0]);
    // It goes on for as long as there is that much; then each is sent by itself again.
    fixture.bans(1);
    fixture.pass(60);
    let standalone = fixture.sent();
    assert!(
        standalone.len() == 1 && standalone[0].contains("203.0.113.50"),
        "one that stayed standalone is sent as usual: {standalone:?}"
    );
    assert_eq!(fixture.counts(), (9, 792, 0));
    fixture.pass(60);
    fixture.bans(8);
    fixture.work(false);
    assert_eq!(fixture.sent().len(), 8);
}

#[test]
fn unbans_that_join_a_closing_storm_are_part_of_its_digest() {
    let mut fixture = RouteFixture::new("storm = { threshold = 1, within = '60s' }\ndigest_window = '5s'");
    fixture.bans(1);
    fixture.work(false);
    assert_eq!(fixture.sent().len(), 1);
    fixture.happens("nginx", EventDetails::Unban(Ban { subject: "203.0.113.7".to_owned(), ..Ban::default() }));
    fixture.happens("sshd", EventDetails::Unban(Ban { subject: "203.0.113.8".to_owned(), ..Ban::default() }));
    fixture.bans(1);
    // The two unbans waited for a stop, the ban for the storm's end; all three come to their end now.
    fixture.pass(5);
    let sent = fixture.sent();
    assert_eq!((sent.len(), fixture.counts()), (1, (1, 3, 0)), "{sent:?}");
    assert!(sent[0].contains("1 more ban and 2 unbans"), "{}", sent[0]);
}

#[test]
fn storm_goes_on_in_the_next_process() {
    let mut fixture = RouteFixture::new("");
    fixture.bans(8);
    fixture.work(false);
    let mut next = RouteFixture::new("");
    std::mem::swap(&mut fixture.live, &mut next.live);
    fixture.bans(2);
    fixture.work(false);
    assert_eq!(fixture.sent().len(), 8);
    fixture.work(true);
    assert_eq!(fixture.counts(), (8, 0, 2));
    assert!(fixture.sent()[0].contains("2 more bans"));
}

#[test]
fn settings_turn_grouping_off() {
    let mut fixture = RouteFixture::new("storm = false\nrestart = false");
    fixture.bans(50);
    for action in [EventDetails::Flush, EventDetails::Stop, EventDetails::Start] {
        fixture.happens("sshd", action);
    }
    fixture.work(false);
    assert_eq!(fixture.sent().len(), 53);
    let mut fixture = RouteFixture::new("storm = { threshold = 2, within = '10s' }\ndigest_window = '5s'");
    fixture.bans(4);
    fixture.pass(5);
    assert_eq!(fixture.sent().len(), 3);
}

#[test]
fn restart_is_one_message_with_or_without_a_flush() {
    for flush in [true, false] {
        let mut fixture = RouteFixture::new("");
        for jail in ["sshd", "nginx"] {
            if flush {
                fixture.happens(jail, EventDetails::Flush);
            } else {
                for number in 1..=20 {
                    fixture.happens(jail, EventDetails::Unban(banned(&format!("203.0.113.{number}"), false)));
                    fixture.now += 10;
                    fixture.work(false);
                }
            }
            fixture.happens(jail, EventDetails::Stop);
        }
        fixture.pass(3);
        for jail in ["sshd", "nginx"] {
            fixture.happens(jail, EventDetails::Start);
            for number in 1..=20 {
                fixture.happens(jail, EventDetails::Ban(banned(&format!("203.0.113.{number}"), true)));
            }
            fixture.pass(1);
        }
        // A new ban is sent at once.
        fixture.bans(1);
        fixture.work(false);
        let sent = fixture.sent();
        assert!(sent.len() == 1 && sent[0].contains("5 failures"), "{sent:?}");
        fixture.pass(5);
        let sent = fixture.sent();
        let events = if flush { 46 } else { 84 };
        assert_eq!(sent.len(), 1, "{sent:#?}");
        assert!(
            sent[0].contains("🔁 fail2ban restarted on `web-1`: 2 jails, 40 bans restored")
                && sent[0].contains(&format!("{events} events")),
            "{}",
            sent[0]
        );
        assert_eq!(fixture.counts(), (1, events, 0));
    }
}

#[test]
fn stop_and_start_alone_are_one_message_each_and_one_jail_is_its_own_message() {
    let mut fixture = RouteFixture::new("");
    for jail in ["sshd", "nginx"] {
        fixture.happens(jail, EventDetails::Flush);
        fixture.happens(jail, EventDetails::Stop);
    }
    fixture.pass(6);
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains("🟠 fail2ban stopped on `web-1`: 2 jails"), "{sent:?}");
    for jail in ["sshd", "nginx"] {
        fixture.happens(jail, EventDetails::Start);
    }
    fixture.pass(6);
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains("🟢 fail2ban started on `web-1`: 2 jails"), "{sent:?}");
    fixture.happens("sshd", EventDetails::Start);
    fixture.pass(6);
    assert!(fixture.sent()[0].contains("started"));
    assert_eq!(fixture.counts(), (1, 6, 0));
}

#[test]
fn unban_without_a_stop_is_sent_later_and_many_are_a_storm() {
    let mut fixture = RouteFixture::new("");
    fixture.happens("sshd", EventDetails::Unban(banned("203.0.113.7", false)));
    fixture.pass(4);
    assert_eq!(fixture.sent().len(), 0);
    fixture.pass(1);
    assert!(fixture.sent()[0].contains("203.0.113.7"));
    for number in 0..100 {
        fixture.happens("sshd", EventDetails::Unban(banned(&format!("203.0.113.{number}"), false)));
    }
    fixture.pass(5);
    assert_eq!((fixture.sent().len(), fixture.counts()), (7, (8, 0, 93)));
    fixture.pass(30);
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains("93 more unbans"), "{sent:?}");
}

/// What the route sees of a restart that lifts every ban before the stop, as fail2ban does without `actionflush`.
fn restart(fixture: &mut RouteFixture, comes_back: bool) {
    for jail in ["sshd", "nginx"] {
        for number in 1..=3 {
            fixture.happens(jail, EventDetails::Unban(banned(&format!("203.0.113.{number}"), false)));
        }
        fixture.pass(1);
        fixture.happens(jail, EventDetails::Stop);
    }
    fixture.pass(1);
    for jail in ["sshd", "nginx"].into_iter().filter(|_| comes_back) {
        fixture.happens(jail, EventDetails::Start);
        for number in 1..=3 {
            fixture.happens(jail, EventDetails::Ban(banned(&format!("203.0.113.{number}"), true)));
        }
    }
    fixture.pass(20);
}

#[test]
fn restart_on_a_route_without_stops_announces_no_unban() {
    for (lines, expected, digested) in [
        ("events = ['ban', 'unban']", "🔁 6 bans restored after a restart on `web-1`", 12),
        ("events = ['unban']", "🔁 fail2ban restarted on `web-1`: 2 jails, 6 bans lifted", 6),
        // The stop comes, and the plugin skips it.
        ("settings = { stop = '', start = '' }", "🔁 6 bans restored after a restart on `web-1`", 12),
    ] {
        let mut fixture = RouteFixture::new(lines);
        restart(&mut fixture, true);
        fixture.pass(5);
        let sent = fixture.sent();
        assert!(sent.len() == 1 && sent[0].contains(expected), "{lines}: {sent:#?}");
        assert_eq!(fixture.counts(), (0, digested, 0), "{lines}");
    }
}

#[test]
fn stop_on_a_route_without_stops_is_announced_as_one() {
    let mut fixture = RouteFixture::new("events = ['ban', 'unban']");
    restart(&mut fixture, false);
    fixture.pass(5);
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains("🟠 fail2ban stopped on `web-1`: 2 jails, 6 bans lifted"), "{sent:#?}");
    assert_eq!(fixture.counts(), (0, 6, 0));
}

#[test]
fn only_unban_of_a_restart_is_not_announced_by_itself() {
    let mut fixture = RouteFixture::new("events = ['unban']");
    fixture.happens("sshd", EventDetails::Unban(banned("203.0.113.7", false)));
    for details in [EventDetails::Stop, EventDetails::Start] {
        fixture.happens("sshd", details);
    }
    fixture.happens("sshd", EventDetails::Ban(banned("203.0.113.7", true)));
    fixture.pass(5);
    fixture.pass(5);
    let sent = fixture.sent();
    let expected = "🔁 Jail `sshd` restarted on `web-1`: 1 ban lifted";
    assert!(sent.len() == 1 && sent[0].contains(expected) && !sent[0].contains("unbanned"), "{sent:#?}");
}

#[test]
fn unbans_long_before_a_stop_or_of_another_jail_are_announced() {
    let mut fixture = RouteFixture::new("events = ['unban']");
    fixture.happens("sshd", EventDetails::Unban(banned("203.0.113.7", false)));
    // Received together, as after a pause of banhook's own.
    fixture.now += 3_600_000;
    fixture.happens("sshd", EventDetails::Stop);
    fixture.happens("nginx", EventDetails::Unban(banned("203.0.113.8", false)));
    fixture.happens("sshd", EventDetails::Stop);
    fixture.pass(20);
    let sent = fixture.sent();
    assert!(sent.len() == 2 && sent.iter().all(|body| body.contains("unbanned")), "{sent:#?}");
}

#[test]
fn long_attack_is_a_dozen_messages_an_hour() {
    let mut fixture = RouteFixture::new("");
    let mut sent = Vec::new();
    for second in (0..3_600).step_by(10) {
        fixture.bans(2);
        fixture.pass(10);
        // A crash, now and then: what is known of the storm is in the store.
        if second % 100 == 0 {
            fixture.live.recent_posts = None;
        }
        sent.extend(fixture.sent().into_iter().map(|body| (second, body)));
    }
    let is_digest = |body: &str| body.contains("more bans");
    let digests: Vec<_> = sent.iter().filter(|(_, body)| is_digest(body)).map(|(second, _)| *second).collect();
    assert_eq!(digests[..5], [60, 120, 240, 540, 840], "{digests:?}");
    assert_eq!(digests.len(), 14, "{digests:?}");
    assert_eq!(sent.len() - digests.len(), 8);
}

#[test]
fn held_digests_take_part_in_storms() {
    let temp = tempfile::tempdir().unwrap();
    let plugin = temp.path().join("digests.wasm");
    std::fs::write(&plugin, crate::plugin::guest::digests()).unwrap();
    let mut fixture = RouteFixture::new(&format!("plugin = '{}'", plugin.display()));
    for key in 0..150 {
        fixture.happens(&format!("~hold-{key}x"), EventDetails::Ban(banned("203.0.113.7", false)));
    }
    fixture.pass(30);
    assert_eq!((fixture.sent().len(), fixture.counts()), (8, (0, 8, 142)));
    fixture.pass(30);
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains("142 events (storm, no key)"), "{sent:#?}");
    // One that is left over does not go in circles.
    fixture.happens("~hold-last", EventDetails::Ban(banned("203.0.113.7", false)));
    fixture.work(true);
    assert_eq!((fixture.sent().len(), fixture.counts()), (1, (0, 151, 0)));
}

#[test]
fn redacted_digest_names_nobody_also_where_the_plugin_asks_for_the_built_in_one() {
    // The built-in plugin answers every digest with the hint for banhook's own text.
    for (fallback, names) in [("full", true), ("redacted", false)] {
        let mut fixture = RouteFixture::new(&format!("fallback = '{fallback}'"));
        for _ in 0..20 {
            fixture.happens("sshd", EventDetails::Ban(banned("203.0.113.7", false)));
        }
        fixture.pass(30);
        let sent = fixture.sent();
        let digest = sent.last().unwrap();
        assert!(digest.contains("12 more bans"), "{digest}");
        assert_eq!(digest.contains("203.0.113.7"), names, "{fallback}: {digest}");
    }
}

/// A route with the plugin that decides as the name of the jail says.
fn digests_fixture(lines: &str) -> (RouteFixture, tempfile::TempDir) {
    let temp = tempfile::tempdir().unwrap();
    let plugin = temp.path().join("digests.wasm");
    std::fs::write(&plugin, crate::plugin::guest::digests()).unwrap();
    (RouteFixture::new(&format!("plugin = '{}'\n{lines}", plugin.display())), temp)
}

#[test]
fn digest_counts_the_tags_of_what_was_held() {
    let (mut fixture, _plugin) = digests_fixture("storm = false");
    for jail in ["~hold", "~hold", "~hold-x"] {
        fixture.happens(jail, EventDetails::Ban(banned("203.0.113.7", false)));
    }
    fixture.pass(30);
    let sent = fixture.sent();
    assert!(sent[0].contains("2 events (held, ~hold), 2 listed, 2 bans, 2 of ~hold\""), "{sent:#?}");
    assert!(sent[1].contains("1 events (held, ~hold-x), 1 listed, 1 bans, 1 of ~hold-x\""), "{sent:#?}");
}

#[test]
fn digest_that_the_plugin_skips_settles_its_events_as_skipped() {
    let (mut fixture, _plugin) = digests_fixture("storm = false");
    for _ in 0..1_500 {
        fixture.happens("~hold-skip", EventDetails::Ban(banned("203.0.113.7", false)));
    }
    fixture.pass(30);
    let route = fixture.store.ledger().unwrap().routes["sec"];
    assert_eq!((fixture.sent().len(), route.skipped, route.pending), (0, 1_500, 0));
}

#[test]
fn digest_that_the_plugin_holds_stays_open_until_then() {
    let (mut fixture, _plugin) = digests_fixture("storm = false\ndigest_window = '2s'");
    fixture.happens("~hold-wait", EventDetails::Ban(banned("203.0.113.7", false)));
    fixture.pass(2);
    fixture.pass(3);
    // Another event has it asked earlier.
    fixture.happens("~hold-wait", EventDetails::Ban(banned("203.0.113.8", false)));
    fixture.pass(2);
    fixture.pass(2);
    assert_eq!((fixture.sent().len(), fixture.counts()), (0, (0, 0, 2)));
    fixture.pass(1);
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains("2 events (held, ~hold-wait)"), "{sent:#?}");
}

#[test]
fn digest_that_the_plugin_holds_forever_goes_out_after_a_day_or_at_the_end() {
    let (mut fixture, _plugin) = digests_fixture("storm = false\ndigest_window = '2s'");
    let held = || EventDetails::Ban(banned("203.0.113.7", false));
    fixture.happens("~hold-forever", held());
    fixture.pass(86_399);
    assert_eq!(fixture.sent().len(), 0);
    fixture.pass(1);
    let built_in = "grouped by the plugin as";
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains(built_in) && !sent[0].contains("plugin digests"), "{sent:#?}");

    fixture.happens("~hold-forever", held());
    fixture.work(true);
    let sent = fixture.sent();
    assert!(sent.len() == 1 && sent[0].contains(built_in), "{sent:#?}");

    fixture.happens("~hold-past", held());
    fixture.pass(2);
    let sent = fixture.sent();
    assert!(
        sent.len() == 1 && sent[0].contains("holds its digest until a time that is not in the future"),
        "{sent:#?}"
    );
}

/// Its settings make a message that Slack refuses: a picture without a URL.
#[test]
fn load_plugin_whose_message_cannot_be_sent_is_a_fault() {
    let temp = tempfile::tempdir().unwrap();
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist/0.1.0/rust.wasm");
    let lines = format!("plugin = '{}'\nsettings.picture = 'nonsense'", plugin.display());
    let (_, _, live) = load(&StateDir::new(temp.path().join("state")), &lines);
    let faults: Vec<_> = live.faults().map(|fault| fault.error.to_string()).collect();
    assert!(
        faults.len() == 1 && faults[0].starts_with("makes a message that cannot be sent: Slack would"),
        "{faults:?}"
    );
}

#[test]
fn message_that_asks_for_it_is_in_no_digest() {
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist/0.1.0/rust.wasm");
    let mut fixture = RouteFixture::new(&format!("plugin = '{}'", plugin.display()));
    fixture.bans(20);
    let permanent = Ban { duration: Some(crate::event::BanDuration::Permanent), ..banned("203.0.113.99", false) };
    fixture.happens("sshd", EventDetails::Ban(permanent));
    fixture.work(false);
    let sent = fixture.sent();
    assert!(sent.len() == 9 && sent[8].contains("203.0.113.99"), "{sent:#?}");
    assert_eq!(fixture.counts(), (9, 0, 12));
}

/// Posts, and asks for the webhook that is called like the jail.
const ASKS_FOR_A_WEBHOOK: &str = r#"(module
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
        ;; The hint at 2048: its name, and the jail.
        (i32.store (i32.const 2048) (i32.const 1040))
        (i32.store (i32.const 2052) (i32.const 7))
        (i64.store (i32.const 2056) (i64.load offset=24 (local.get $event)))
        ;; ok(post({ text: plain("own words"), hints }))
        (i32.store (i32.const 532) (i32.const 1024))
        (i32.store (i32.const 536) (i32.const 9))
        (i32.store8 (i32.const 560) (i32.const 1))
        (i32.store (i32.const 564) (i32.const 2048))
        (i32.store (i32.const 568) (i32.const 1))
        (i32.const 512)))"#;

#[test]
fn message_goes_to_the_webhook_that_its_plugin_asks_for_and_its_route_allows() {
    let temp = tempfile::tempdir().unwrap();
    let plugin = temp.path().join("asks.wasm");
    std::fs::write(&plugin, crate::plugin::guest::plugin(ASKS_FOR_A_WEBHOOK, "plugin")).unwrap();
    let lines = "webhook = 'main'\nplugin_webhooks = ['ops']\n\
        [webhooks.ops]\nurl = 'http://127.0.0.1:2/'\n[webhooks.other]\nurl = 'http://127.0.0.1:3/'";
    let mut fixture = RouteFixture::new(&format!("plugin = '{}'\n{lines}", plugin.display()));
    for jail in ["ops", "other", "main"] {
        fixture.happens(jail, EventDetails::Ban(banned("203.0.113.7", false)));
    }
    fixture.work(false);
    assert!(fixture.store.next_in_order("ops", 0).unwrap().is_some());
    assert!(fixture.store.next_in_order("other", 0).unwrap().is_none());
    assert_eq!((fixture.sent().len(), fixture.counts()), (2, (2, 0, 1)));
}

#[test]
fn backlog_is_grouped() {
    let mut fixture = RouteFixture::new("storm = false");
    fixture.bans(60);
    fixture.work(false);
    fixture.bans(140);
    fixture.work(false);
    // As many as the webhook takes in a minute may wait one by one.
    let one_by_one =
        fixture.store.list_messages(true, false, 999).unwrap().iter().filter(|one| one.cause.is_none()).count();
    assert!(one_by_one <= 60, "{one_by_one}");
    fixture.pass(30);
    let sent = fixture.sent();
    let total: u64 = fixture.counts().0 + fixture.counts().1;
    assert_eq!((total, fixture.counts().2), (200, 0));
    assert!(
        sent.len() < 70 && sent.iter().any(|body| body.contains("more messages than the webhook accepts")),
        "{}",
        sent.len()
    );
}

#[test]
fn events_of_a_removed_route_are_sent_plainly() {
    let mut fixture = RouteFixture::new("");
    fixture.bans(20);
    fixture.work(false);
    fixture.bans(1);
    while route_events(&fixture.routes, &fixture.defaults, &mut fixture.store, None, Timestamp(fixture.now))
        .unwrap()
        .events
        > 0
    {}
    let text = "webhooks.main.url = 'http://127.0.0.1:1/'\n[[routes]]\nname = 'other'";
    let config = Config::parse(text, Path::new("/config.toml"), &|_| None).unwrap();
    assert_eq!(fixture.store.unfinished_routes().unwrap(), ["sec"]);
    let now = Timestamp(fixture.now);
    while format_removed_route("sec", &config, &fixture.defaults, &mut fixture.store, now).unwrap() > 0 {}
    let sent = fixture.sent();
    assert!(
        sent.iter().any(|body| body.contains("12 more bans") && body.contains("no longer configured")),
        "{sent:#?}"
    );
    assert_eq!(fixture.counts(), (9, 12, 0));
}

fn exceeds_at(recent: &mut RecentPosts, times: &[i64]) -> Vec<bool> {
    let storm = Storm { threshold: 3, within: Duration::from_secs(60) };
    times.iter().map(|at| recent.exceeds(storm, Timestamp(*at * 1_000))).collect()
}

#[test]
fn storm_begins_past_the_threshold_and_ends_when_it_is_quieter() {
    let mut recent = RecentPosts::default();
    assert_eq!(exceeds_at(&mut recent, &[100, 100, 100, 100, 159, 159]), [false, false, false, true, true, true]);
    // With two at 159, this is the third; grouped posts count as well.
    assert_eq!(exceeds_at(&mut recent, &[161, 218, 219]), [false, true, false]);
    assert_eq!(recent.changed(Timestamp(0)).unwrap().posts.len(), 3);
    assert_eq!(recent.changed(Timestamp(0)), None);
    // A clock that is set back causes no storm.
    assert_eq!(exceeds_at(&mut recent, &[10, 10, 10, 10]), [false, false, false, true]);
}

#[test]
fn storm_window_widens_while_the_storm_lasts() {
    let windows = |first: u64, lasts: &[i64]| -> Vec<u64> {
        let recent = RecentPosts { storm_since: Some(Timestamp(5_000)), ..RecentPosts::default() };
        let window =
            |lasts: &i64| recent.storm_window(Duration::from_secs(first), Timestamp(5_000 + lasts * 1_000)).as_secs();
        lasts.iter().map(window).collect()
    };
    assert_eq!(windows(30, &[0, 29, 30, 89, 90, 209, 210, 999_999]), [30, 30, 60, 60, 120, 120, 300, 300]);
    assert_eq!(windows(1, &[0, 1, 2, 3, 7, 999]), [1, 2, 2, 4, 10, 10]);
    assert_eq!(windows(60, &[0, 60, 180, 420]), [60, 120, 240, 300]);
    // Never shorter than the route's own.
    assert_eq!(windows(600, &[0, 600, 9_999]), [600, 600, 600]);
    assert_eq!(windows(30, &[-9]), [30], "a clock that is set back");
}

#[test]
fn storm_since_is_kept_until_a_post_goes_out_by_itself() {
    let mut recent = RecentPosts::default();
    exceeds_at(&mut recent, &[100, 100, 100, 101, 140, 200]);
    let mut next = RecentPosts::of(recent.changed(Timestamp(0)).unwrap());
    assert_eq!(next.storm_since, None, "two posts within a minute are no storm");
    exceeds_at(&mut next, &[201, 202, 250]);
    let mut next = RecentPosts::of(next.changed(Timestamp(0)).unwrap());
    assert_eq!(next.storm_since, Some(Timestamp(250_000)));
    exceeds_at(&mut next, &[150]);
    assert_eq!(next.storm_since, None, "the clock was set back");
}
