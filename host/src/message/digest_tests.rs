//! The text of the built-in digest, and that it is never refused.

use blockkit::{check, to_terminal};
use serde_json::json;

use super::*;
use crate::event::{Ban, Event, EventDetails};
use crate::message::Color;

const AT: Timestamp = Timestamp(1_763_809_015_601);

const STORM: StormLimit = StormLimit { threshold: 8, within: Duration::from_secs(60) };

fn event(seconds: i64, jail: &str, details: EventDetails) -> Event {
    Event {
        id: String::new(),
        at: AT.plus_ms(seconds * 1_000),
        host: "web-1".to_owned(),
        jail: jail.to_owned(),
        details,
        labels: [].into(),
    }
}

fn ban(seconds: i64, jail: &str, subject: &str) -> Event {
    event(seconds, jail, EventDetails::Ban(Ban { subject: subject.to_owned(), ..Ban::default() }))
}

fn restored(seconds: i64, jail: &str, subject: &str) -> Event {
    event(seconds, jail, EventDetails::Ban(Ban { subject: subject.to_owned(), restored: true, ..Ban::default() }))
}

fn unban(seconds: i64, jail: &str, subject: &str) -> Event {
    event(seconds, jail, EventDetails::Unban(Ban { subject: subject.to_owned(), ..Ban::default() }))
}

fn on(host: &str, event: Event) -> Event {
    Event { host: host.to_owned(), ..event }
}

/// A digest without small print, as a terminal shows it.
fn shown(events: &[Event], cause: DigestCause, key: Option<&str>) -> String {
    let guarded = digest(&Batch::of(events, cause, key.map(str::to_owned)), Some(STORM), None, Target::SLACK);
    let body = guarded.body();
    assert_eq!(check(body), [], "{body}");
    let shown = to_terminal(body, false);
    // The bare text is the first line.
    assert_eq!(Some(body["text"].as_str().unwrap()), shown.lines().next());
    shown
}

#[test]
fn digest_of_a_storm_counts_kinds_jails_and_subjects() {
    let mut events: Vec<Event> = (0..40).map(|n| ban(n, "sshd", &format!("203.0.113.{n}"))).collect();
    events.extend((0..9).map(|n| ban(n + 30, "nginx-http-auth", "198.51.100.7")));
    events.extend((0..2).map(|n| ban(n + 31, "sshd", "2001:db8::7")));
    events.push(unban(42, "sshd", "203.0.113.1"));
    let first: Vec<_> = [0].into_iter().chain(2..=17).map(|n| format!(" · `203.0.113.{n}`")).collect();
    assert_eq!(
        shown(&events, DigestCause::Storm, None),
        format!(
            "⛔ 51 more bans and 1 unban on `web-1` in 42 s\n\
             `sshd` 42 bans, 1 unban · `nginx-http-auth` 9 bans\n\
             `198.51.100.7` 9 bans · `203.0.113.1` 1 ban, 1 unban · `2001:db8::7` 2 bans{} and 22 more\n\
             more than 8 messages in 60 s · from 2025-11-22 10:56 UTC to 2025-11-22 10:57 UTC\n",
            first.concat()
        )
    );
}

#[test]
fn digest_of_a_storm_that_is_over_says_so_on_each_target() {
    let events: Vec<Event> = (0..40).map(|n| ban(n * 18, "sshd", &format!("203.0.113.{}", n % 2))).collect();
    let batch = Batch { over: true, ..Batch::of(&events, DigestCause::Storm, None) };
    for target in Target::ALL {
        let guarded = digest(&batch, Some(STORM), None, *target);
        let body = guarded.body().to_string().replace("&#58;", ":");
        // Some targets have an element for each span.
        let parts = ["✅ ", "Storm over: ", "40 more bans", "web-1", "in 11 min 42 s", "203.0.113.1"];
        assert!(parts.iter().all(|part| body.contains(part)), "{target:?}: {body}");
    }
}

#[test]
fn digest_of_many_bans_names_twenty_addresses_most_active_first() {
    let mut events: Vec<Event> = (0..46).map(|n| ban(0, "sshd", &format!("203.0.113.{n}"))).collect();
    events.push(ban(1, "sshd", "203.0.113.40"));
    let names: Vec<_> = (0..19).map(|n| format!(" · `203.0.113.{n}`")).collect();
    assert_eq!(
        shown(&events, DigestCause::Storm, None),
        format!(
            "⛔ 47 more bans on `web-1` in 1 s\n\
             `sshd`: `203.0.113.40` 2 bans{} and 26 more\n\
             more than 8 messages in 60 s · 2025-11-22 10:56 UTC\n",
            names.concat()
        )
    );
}

#[test]
fn digest_of_one_subject_names_its_hosts_and_jails() {
    let mut events: Vec<Event> = (0..50).map(|n| on(&format!("web-{n}"), ban(n, "sshd", "192.0.2.7"))).collect();
    events.push(on("web-49", ban(50, "nginx", "192.0.2.7")));
    let hosts: Vec<_> = (0..19).map(|n| format!(" · `web-{n}`")).collect();
    assert_eq!(
        shown(&events, DigestCause::SameSubject, None),
        format!(
            "⛔ `192.0.2.7` banned on 50 hosts in 50 s\n\
             `sshd` 50 bans · `nginx` 1 ban\n\
             on `web-49` 2 bans{} and 30 more\n\
             grouped by subject · from 2025-11-22 10:56 UTC to 2025-11-22 10:57 UTC\n",
            hosts.concat()
        )
    );
    let unbans = [on("web-1", unban(0, "sshd", "user a*b")), on("web-2", unban(0, "sshd", "user a*b"))];
    let shown = shown(&unbans, DigestCause::SameSubject, None);
    assert!(shown.starts_with("🔓 `user a*b` unbanned on 2 hosts in 1 s\n`sshd`\non `web-1` · `web-2`\n"), "{shown}");
}

#[test]
fn digest_of_one_subject_that_is_redacted_names_its_hosts_alone() {
    let events: Vec<Event> = (0..3).map(|n| on(&format!("web-{n}"), ban(0, "sshd", "192.0.2.7"))).collect();
    let batch = Batch { continues: true, ..Batch::of(&events, DigestCause::SameSubject, None) };
    let text = |batch: &Batch| to_terminal(digest(batch, None, None, Target::SLACK).body(), false);
    assert!(text(&batch).starts_with("⛔ `192.0.2.7` also banned on 3 hosts in 1 s\n"));
    let redacted = text(&batch.redacted());
    assert!(
        redacted.starts_with("⛔ 3 more bans on 3 hosts in 1 s\n") && !redacted.contains("192.0.2.7"),
        "{redacted}"
    );
}

#[test]
fn digest_of_several_hosts_restarts_names_them() {
    let restart = |host: &str| {
        let of_jail =
            |jail: &str| [on(host, event(0, jail, EventDetails::Stop)), on(host, event(1, jail, EventDetails::Start))];
        ["sshd", "nginx"].map(of_jail).concat()
    };
    let events = [restart("web-1"), restart("web-2"), vec![on("web-2", restored(1, "sshd", "192.0.2.7"))]].concat();
    let shown = shown(&events, DigestCause::Restart, None);
    assert!(shown.starts_with("🔁 fail2ban restarted on 2 hosts: 2 jails, 1 ban restored\n"), "{shown}");
    assert!(shown.contains("on `web-2` 1 restored · `web-1`\n"), "{shown}");
}

#[test]
fn digest_of_twenty_addresses_names_all() {
    let events: Vec<Event> = (0..20).map(|n| ban(0, "sshd", &format!("203.0.113.{n}"))).collect();
    let shown = shown(&events, DigestCause::Storm, None);
    assert!((0..20).all(|n| shown.contains(&format!("`203.0.113.{n}`"))) && !shown.contains(" and "), "{shown}");
}

#[test]
fn digest_emoji_is_that_of_the_most_serious_event() {
    let flush = || event(0, "sshd", EventDetails::Flush);
    let start = || event(0, "sshd", EventDetails::Start);
    let stop = || event(0, "sshd", EventDetails::Stop);
    let (ban, unban) = (|| ban(0, "sshd", "203.0.113.7"), || unban(0, "sshd", "203.0.113.7"));
    let old = || restored(0, "sshd", "203.0.113.7");
    for (events, expected) in [
        (vec![ban(), unban(), stop()], "⛔ 1 more ban, 1 unban and 1 jail stop on `web-1` in 1 s"),
        (vec![ban(), old()], "⛔ 2 more bans (1 restored) on `web-1` in 1 s"),
        (vec![old(), old()], "🔁 2 more restored bans on `web-1` in 1 s"),
        (vec![unban(), unban()], "🔓 2 more unbans on `web-1` in 1 s"),
        (vec![flush(), flush()], "🧹 2 more flushes on `web-1` in 1 s"),
        (vec![start(), stop()], "🟠 1 more jail stop and 1 jail start on `web-1` in 1 s"),
        (vec![start()], "🟢 1 more jail start on `web-1`"),
    ] {
        let shown = shown(&events, DigestCause::Storm, None);
        assert_eq!(shown.lines().next(), Some(expected));
    }
}

#[test]
fn digest_of_a_storm_names_the_limit_in_readable_units() {
    let events = [ban(0, "sshd", "203.0.113.7"), ban(0, "sshd", "203.0.113.8")];
    let batch = Batch::of(&events, DigestCause::Storm, None);
    for (storm, reason) in [
        (None, "too many messages at once"),
        (Some(STORM), "more than 8 messages in 60 s"),
        (Some(StormLimit { threshold: 1, within: Duration::from_secs(5_400) }), "more than 1 message in 1 h 30 min"),
    ] {
        let guarded = digest(&batch, storm, None, Target::SLACK);
        assert!(guarded.to_json_string().contains(&format!("\"{reason} · ")), "{guarded:?}");
    }
}

#[test]
fn digest_of_a_restart_or_first_start_names_it() {
    let stop = |jail| event(0, jail, EventDetails::Stop);
    let start = |jail| event(3, jail, EventDetails::Start);
    let jails = ["sshd", "nginx", "recidive"];
    let mut started: Vec<Event> = jails.map(start).into();
    started.extend((0..120).map(|n| restored(4, "sshd", &format!("203.0.113.{n}"))));
    started.extend((0..3).map(|n| restored(4, "nginx", &format!("198.51.100.{n}"))));
    let restarted: Vec<Event> = jails.map(stop).into_iter().chain(started.clone()).collect();
    assert_eq!(
        shown(&restarted, DigestCause::Restart, None),
        "🔁 fail2ban restarted on `web-1`: 3 jails, 123 bans restored\n\
         `sshd` 120 restored · `nginx` 3 restored · `recidive`\n\
         129 events · 2025-11-22 10:56 UTC\n"
    );
    assert_eq!(
        shown(&started, DigestCause::Restart, None),
        "🟢 fail2ban started on `web-1`: 3 jails, 123 bans restored\n\
         `sshd` 120 restored · `nginx` 3 restored · `recidive`\n\
         126 events · 2025-11-22 10:56 UTC\n"
    );
}

#[test]
fn digest_of_a_restart_says_what_did_not_come_back() {
    let unbanned = (0..3).map(|n| unban(0, "sshd", &format!("203.0.113.{n}")));
    let stops = ["sshd", "nginx"].map(|jail| event(1, jail, EventDetails::Stop));
    let events: Vec<Event> = unbanned
        .chain(stops)
        .chain([event(3, "sshd", EventDetails::Start), restored(4, "sshd", "203.0.113.1")])
        .collect();
    assert_eq!(
        shown(&events, DigestCause::Restart, None),
        "🔁 fail2ban restarted on `web-1`: 1 of 2 jails started, 3 bans lifted, 1 restored\n\
         `sshd` 3 lifted, 1 restored · `nginx`\n\
         `203.0.113.1` · `203.0.113.0` lifted · `203.0.113.2` lifted\n\
         7 events · 2025-11-22 10:56 UTC\n"
    );
}

#[test]
fn digest_of_one_jail_names_it_in_code() {
    let stop = event(0, "sshd", EventDetails::Stop);
    let start = event(0, "sshd", EventDetails::Start);
    let old = restored(0, "sshd", "203.0.113.7");
    for (events, cause, expected) in [
        (vec![stop.clone()], DigestCause::Stop, "🟠 Jail `sshd` stopped on `web-1`"),
        (vec![start.clone()], DigestCause::Restart, "🟢 Jail `sshd` started on `web-1`"),
        (vec![stop, start, old], DigestCause::Restart, "🔁 Jail `sshd` restarted on `web-1`: 1 ban restored"),
    ] {
        let shown = shown(&events, cause, None);
        assert_eq!(shown.lines().next(), Some(expected));
    }
}

#[test]
fn digest_of_a_restart_without_starts_names_restored_bans() {
    let events = [restored(0, "sshd", "203.0.113.7"), restored(0, "nginx", "203.0.113.8")];
    assert_eq!(
        shown(&events, DigestCause::Restart, None),
        "🔁 2 bans restored after a restart on `web-1`\n\
         `nginx` 1 restored · `sshd` 1 restored\n\
         `203.0.113.7` · `203.0.113.8`\n\
         2 events · 2025-11-22 10:56 UTC\n"
    );
}

#[test]
fn digest_of_a_stop_counts_hosts() {
    let events = [
        event(0, "sshd", EventDetails::Flush),
        event(0, "sshd", EventDetails::Stop),
        on("web-2", unban(1, "sshd", "203.0.113.7")),
        on("web-2", event(1, "sshd", EventDetails::Stop)),
    ];
    assert_eq!(
        shown(&events, DigestCause::Stop, None),
        "🟠 Jail `sshd` stopped on 2 hosts: 1 ban lifted\n\
         `203.0.113.7`\n\
         on `web-1` · `web-2` 1 lifted\n\
         4 events · 2025-11-22 10:56 UTC\n"
    );
}

#[test]
fn digest_held_by_the_plugin_shows_its_key_as_text() {
    let events = [ban(0, "sshd", "203.0.113.7"), restored(3_600, "sshd", "203.0.113.8")];
    assert_eq!(
        shown(&events, DigestCause::Held, Some("scan\u{202e}\nners")),
        "⛔ 2 bans (1 restored) on `web-1` in 1 h\n\
         `sshd`: `203.0.113.7` · `203.0.113.8` 1 restored\n\
         grouped by the plugin as `scan\\u{202e} ners` · from 2025-11-22 10:56 UTC to 2025-11-22 11:56 UTC\n"
    );
    let flush = [on("", event(0, "sshd", EventDetails::Flush))];
    assert_eq!(
        shown(&flush, DigestCause::Held, Some(" ")),
        "🧹 1 flush\n\
         `sshd`\n\
         grouped by the plugin · 2025-11-22 10:56 UTC\n"
    );
}

#[test]
fn digest_of_a_backlog_counts_unlisted_jails() {
    let events: Vec<Event> = (0..25).map(|n| ban(0, &format!("jail-{n}"), &n.to_string())).collect();
    let shown = shown(&events, DigestCause::Backlog, None);
    assert!(shown.starts_with("⛔ 25 bans on `web-1` in 1 s\n`jail-0` 1 ban · `jail-1` 1 ban · "), "{shown}");
    assert!(shown.contains("`jail-9` 1 ban · `jail-10` 1 ban"), "{shown}");
    assert!(shown.contains("`jail-19` 1 ban and 5 more jails\n`0` · `1`"), "{shown}");
    assert!(shown.contains("`19` and 5 more\nmore messages than the webhook accepts per minute · "), "{shown}");
}

#[test]
fn guard_digest_with_the_hint_has_the_built_in_text_and_its_own_color() {
    let batch = Batch::of(&[ban(0, "sshd", "203.0.113.7")], DigestCause::Storm, None);
    let decided = Message {
        text: Text::Plain("1 event".to_owned()),
        blocks: vec![],
        color: Some(Color::Danger),
        hints: vec![("digest".to_owned(), "built-in".to_owned())],
        ..Message::default()
    };
    let guarded = guard_digest(&decided, &batch, Some(STORM), &Policy::default()).unwrap();
    let body = guarded.body();
    assert_eq!(body["attachments"][0]["blocks"], digest(&batch, Some(STORM), None, Target::SLACK).body()["blocks"]);
    let own = Message { hints: vec![("digest".to_owned(), "other".to_owned())], ..decided };
    let guarded = guard_digest(&own, &batch, Some(STORM), &Policy::default()).unwrap();
    assert!(guarded.to_json_string().contains("1 event"), "{guarded:?}");
}

#[test]
fn digest_reason_stands_in_small_print() {
    let batch = Batch::of(&[ban(0, "sshd", "203.0.113.7")], DigestCause::Other, None);
    let guarded = digest(&batch, None, Some("plugin sec.wasm trapped:\n<!here>"), Target::SLACK);
    assert_eq!(guarded.body()["text"], "⛔ 1 ban on `web-1`");
    let last = guarded.body()["blocks"].as_array().unwrap().last().unwrap();
    assert_eq!(last["type"], "context");
    assert_eq!(last["elements"][0]["type"], "plain_text");
    assert_eq!(last["elements"][0]["text"], "plugin sec.wasm trapped: <!here>");
    // None, where it would show nothing.
    assert_eq!(digest(&batch, None, Some(" \n"), Target::SLACK), digest(&batch, None, None, Target::SLACK));
}

#[test]
fn digest_of_extreme_values_is_never_refused() {
    const CAUSES: [DigestCause; 6] = [
        DigestCause::Held,
        DigestCause::Storm,
        DigestCause::Backlog,
        DigestCause::Restart,
        DigestCause::Stop,
        DigestCause::Other,
    ];
    let long = |end: usize| format!("{}{end}", "<!channel>`\u{1b}\u{202e}*&".repeat(10_000));
    for value in [long(0), "\u{1b}".repeat(200), "`".to_owned(), " ".to_owned(), "<!channel>".to_owned()] {
        // As many different names as a tally holds, each twice.
        let mut events: Vec<Event> = (0..50)
            .map(|n| {
                on(&format!("{value}{}", n % 2), ban(n, &format!("{value}{}", n % 25), &format!("{value}{}", n % 25)))
            })
            .collect();
        events.push(on(&value, unban(51, &value, &value)));
        let mut batches =
            vec![Batch::of(&[], DigestCause::Other, None), Batch::of(&events[50..], DigestCause::Other, None)];
        batches.push(Batch::of(&events, DigestCause::Other, None));
        // As high as numbers go, as far apart as times go.
        let mut most = Batch::of(&events, DigestCause::Other, None);
        most.totals = full(most.totals);
        (most.first, most.last) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        batches.push(most);
        for mut batch in batches {
            for (cause, target) in
                CAUSES.into_iter().flat_map(|cause| Target::ALL.iter().map(move |target| (cause, *target)))
            {
                batch.cause = cause;
                batch.key = Some(value.clone());
                let guarded = digest(&batch, Some(STORM), Some(&value), target);
                let body = guarded.body();
                assert!(guarded.to_json_string().len() < 20_000, "{cause:?} {target:?} {body}");
                let last_resort = json!({ "text": counted(batch.totals.events, "event") });
                assert_ne!(*body, last_resort, "{cause:?} {target:?}");
                if target == Target::SLACK {
                    assert_eq!(check(body), [], "{cause:?}");
                }
            }
        }
    }
}

fn full(totals: Totals) -> Totals {
    let full = |rows: Vec<Row>| {
        rows.into_iter().map(|row| Row { events: u32::MAX, bans: u32::MAX, restored: 1 << 31, unbans: u32::MAX, ..row })
    };
    Totals {
        events: u32::MAX,
        starts: u32::MAX,
        stops: u32::MAX,
        flushes: u32::MAX,
        bans: u32::MAX,
        restored: 1 << 31,
        unbans: u32::MAX,
        prolongs: u32::MAX,
        subjects: u32::MAX,
        jails: u32::MAX,
        hosts: totals.hosts,
        by_jail: full(totals.by_jail).collect(),
        by_host: full(totals.by_host).collect(),
        by_subject: full(totals.by_subject).collect(),
        tags: u32::MAX,
        by_tag: full(totals.by_tag).collect(),
    }
}
