//! Plugins that format digests, and those that fail to.

use super::{LIMITS, runtime};
use crate::event::{Ban, Batch, DigestCause, Event, EventDetails, Timestamp};
use crate::message::{DigestDecision, Message, Text};
use crate::plugin::bindings::exports::banhook::plugin::digester;
use crate::plugin::*;

/// When digests close here.
const NOW: Timestamp = Timestamp(1_763_809_075_601);

fn load(guest: &[u8], limits: Limits) -> Plugin {
    let runtime = runtime(None);
    let (providers, _) = runtime.host().open(&PluginContext::refusing());
    runtime.load(guest, &providers, limits).unwrap()
}

fn bans(count: usize, jail: &str) -> Vec<Event> {
    let ban = |n: usize| Event {
        id: n.to_string(),
        at: Timestamp(1_763_809_015_601),
        host: "web-1".to_owned(),
        jail: jail.to_owned(),
        details: EventDetails::Ban(Ban { subject: format!("subject {n}"), ..Ban::default() }),
        labels: [].into(),
    };
    (0..count).map(ban).collect()
}

fn held(count: usize, key: &str) -> Batch {
    Batch::of(&bans(count, key), DigestCause::Held, Some(key.to_owned()))
}

fn formatted(plugin: &Plugin, batch: &Batch) -> Result<DigestDecision, PluginError> {
    plugin.digest(batch, NOW).unwrap().decision
}

#[track_caller]
fn text(plugin: &Plugin, batch: &Batch) -> String {
    match formatted(plugin, batch) {
        Ok(DigestDecision::Post(Message { text: Text::Plain(text), .. })) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn digest_batch_is_formatted_by_the_plugin() {
    let plugin = load(&guest::digests(), LIMITS);
    assert_eq!(text(&plugin, &held(1, "~hold")), "1 events (held, ~hold), 1 listed, 1 bans");
    let storm = Batch::of(&bans(250, "sshd"), DigestCause::Storm, None);
    assert_eq!(text(&plugin, &storm), "250 events (storm, no key), 100 listed, 250 bans");
    for (cause, name) in
        [(DigestCause::Backlog, "backlog"), (DigestCause::Restart, "restart"), (DigestCause::Stop, "stop")]
    {
        let batch = Batch { cause, ..storm.clone() };
        assert_eq!(text(&plugin, &batch), format!("250 events ({name}, no key), 100 listed, 250 bans"));
    }
}

#[test]
fn digest_clock_shows_when_the_hold_closed() {
    let plugin = load(&guest::digests(), LIMITS);
    let found = text(&plugin, &held(2, "~hold-now"));
    assert_eq!(found, "2 events (held, ~hold-now), 2 listed, 2 bans at 1763809075");
}

#[test]
fn digest_failures_are_those_of_an_event() {
    let plugin = load(&guest::digests(), LIMITS);
    let error = |key: &str| formatted(&plugin, &held(2, key)).unwrap_err();
    assert!(matches!(error("~hold-trap"), PluginError::Trap { reason, .. } if reason.contains("unreachable")));
    assert!(matches!(error("~hold-error"), PluginError::Returned(text) if text == "the digest is on holiday"));
    let many = error("~hold-list");
    let PluginError::TooLong { what, found, allowed, limit } = many else { panic!("{many:?}") };
    assert_eq!((what, found, allowed, limit), ("a list of blocks", 2_000, 1_000, "items"));
    // A text is no longer than for an event.
    let plugin = load(&guest::digests(), Limits { text: 20, ..LIMITS });
    let long = formatted(&plugin, &held(2, "~hold")).unwrap_err();
    assert!(matches!(long, PluginError::TooLong { what: "a text", limit: "text", .. }), "{long:?}");
    assert!(
        matches!(formatted(&plugin, &held(2, "~hold-error")), Err(PluginError::Returned(text)) if text.len() == 20)
    );
}

#[test]
fn digest_decisions_are_lifted() {
    let plugin = load(&guest::digests(), LIMITS);
    let decision = |key: &str| formatted(&plugin, &held(2, key)).unwrap();
    assert_eq!(decision("~hold-skip"), DigestDecision::Skip("not worth a message".to_owned()));
    assert_eq!(decision("~hold-forever"), DigestDecision::Hold(Timestamp(i64::MAX)));
    let first = Timestamp(1_763_809_015_601);
    let waits = plugin.digest(&held(2, "~hold-wait"), first).unwrap().decision.unwrap();
    assert_eq!(waits, DigestDecision::Hold(first.plus_ms(10_000)));
    assert!(matches!(decision("~hold-wait"), DigestDecision::Post(_)), "ten seconds later");
}

#[test]
fn digest_without_a_digester_returns_none() {
    let plugin = load(&guest::asks_geo(), LIMITS);
    assert!(plugin.digest(&held(2, "x"), NOW).is_none());
}

/// None of the fixture's rules holds an event of the smoke test, so only its digest can fail.
#[test]
fn smoke_test_runs_a_digest() {
    assert!(load(&guest::digests(), LIMITS).smoke_test().is_empty());
    let enough_for_events = Limits { text: 35, ..LIMITS };
    let found: Vec<String> =
        load(&guest::digests(), enough_for_events).smoke_test().iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a text"), "{found:?}");
}

/// `wit/exports.wit` and `wit/types.wit` promise how much a batch holds.
#[test]
fn lower_large_batch_keeps_within_the_promised_bounds() {
    let mut events = bans(300, "sshd");
    for (n, event) in events.iter_mut().enumerate() {
        event.jail = format!("jail-{n}");
        event.host = format!("host-{n}");
        if let EventDetails::Ban(ban) = &mut event.details {
            ban.matches = vec!["ä".repeat(5_000); 50];
        }
    }
    let tags: Vec<_> = (0..events.len()).map(|n| vec![format!("tag-{}", n / 2)]).collect();
    let mut batch = Batch::tagged(&events, &tags, DigestCause::Storm, None);
    batch.labels.insert("site".to_owned(), "fra1".to_owned());
    let digester::Batch { events, totals, labels, .. } = lower::batch(&batch);
    assert_eq!((events.len(), events[49].id.as_str(), events[50].id.as_str()), (100, "49", "250"));
    assert_eq!(labels, [("site".to_owned(), "fra1".to_owned())]);
    assert_eq!([totals.subjects, totals.jails, totals.hosts], [300; 3]);
    assert_eq!(totals.labels, [("prolongs".to_owned(), "0".to_owned()), ("tags".to_owned(), "150".to_owned())]);
    assert_eq!([&totals.by_jail, &totals.by_host, &totals.by_subject, &totals.by_tag].map(Vec::len), [20; 4]);
    let bindings::banhook::plugin::types::Action::Ban(ban) = &events[99].action else { panic!("{:?}", events[99]) };
    assert_eq!((ban.matches.len(), ban.matches[0].len()), (20, 1_000));
}
