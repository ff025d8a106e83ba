use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::route::route_events;
use crate::store::StateDir;

/// 2026-11-30, a Monday, at 08:00 in UTC.
const MONDAY: i64 = 1_796_025_600_000;
const HOUR: i64 = 3_600_000;

static NOW: AtomicI64 = AtomicI64::new(0);

fn now() -> Timestamp {
    Timestamp(NOW.load(Ordering::SeqCst))
}

#[test]
fn report_is_sent_once_when_it_is_due_and_late_once_after_a_pause() {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateDir::new(temp.path().join("state"));
    folder.create().unwrap();
    let lock = folder.try_work_lock().unwrap().unwrap();
    let mut store = Store::open_for_work(&folder, &lock).unwrap();
    let text = "host = 'web-1'\n[webhooks.main]\nurl = 'http://127.0.0.1:1/x'\n[[routes]]\ntimezone = 'UTC'\n\
        [[reports]]\nat = 'mon 09:00'\nperiod = '7d'";
    let config = Config::parse(text, Path::new("config.toml"), &|_| None).unwrap();
    let context = ReportContext { sent: Arc::new(Notify::new()), system_host: "host".to_owned(), now, part: None };
    let mut step = |at: i64| {
        NOW.store(at, Ordering::SeqCst);
        context.send_if_due(&mut store, &config, &config.reports[0]).unwrap();
        let sent = store.next_in_order("main", 0).unwrap();
        if let Some(message) = &sent {
            let state = crate::store::WebhookState::default();
            store.record_accepted(message.id, None, None, "main", &state, now()).unwrap();
        }
        sent.map(|message| message.body)
    };
    // It was just configured.
    assert_eq!(step(MONDAY), None);
    assert_eq!(step(MONDAY + HOUR - 1), None);
    let body = step(MONDAY + HOUR).unwrap();
    assert!(body.contains("web-1: 7d on the route main: no bans") && !body.contains("late"), "{body}");
    assert_eq!(step(MONDAY + HOUR + 1), None);
    // Three weeks later there is one, and not three.
    let body = step(MONDAY + 22 * 24 * HOUR).unwrap();
    assert!(body.contains("late: it was due"), "{body}");
    assert_eq!(step(MONDAY + 22 * 24 * HOUR + 1), None);
    // The clock is set back.
    assert_eq!(step(MONDAY), None);
    assert_eq!(store.ledger().unwrap().routes.len(), 0);
}

#[test]
fn silence_is_said_where_the_bans_of_other_routes_go_on() {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateDir::new(temp.path().join("state"));
    folder.create().unwrap();
    let lock = folder.try_work_lock().unwrap().unwrap();
    let mut store = Store::open_for_work(&folder, &lock).unwrap();
    let text = "host = 'web-1'\n[webhooks.main]\nurl = 'http://127.0.0.1:1/x'\n[[routes]]\nname = 'ssh'\njails = ['sshd']\n\
        quiet = '2h'\n[[routes]]\nname = 'all'";
    let config = Config::parse(text, Path::new("config.toml"), &|_| None).unwrap();
    let ban_by_clock = |store: &mut Store, jail: &str, clock: i64, at: i64| {
        let json = format!(r#"{{"at":"2026-11-30T08:00:00Z","action":"ban","jail":"{jail}","subject":"192.0.2.1"}}"#);
        let mut event = crate::event::Event::from_json(&json).unwrap();
        event.at = Timestamp(clock);
        store.append(&event, Timestamp(at)).unwrap();
        route_events(&config.routes, &config.event_defaults("host"), store, None, Timestamp(at)).unwrap();
    };
    let ban = |store: &mut Store, jail: &str, at: i64| ban_by_clock(store, jail, at, at);
    let said = |store: &mut Store, at: i64| {
        let is_said = silence::watch(store, (&config, "web-1"), &config.routes[0], true, Timestamp(at)).unwrap();
        is_said.then(|| {
            let message = store.next_in_order("main", 0).unwrap().unwrap();
            store
                .record_accepted(message.id, None, None, "main", &crate::store::WebhookState::default(), now())
                .unwrap();
            message.body
        })
    };
    ban(&mut store, "sshd", MONDAY);
    assert_eq!(said(&mut store, MONDAY), None);
    ban(&mut store, "nginx", MONDAY + HOUR);
    assert_eq!(said(&mut store, MONDAY + 2 * HOUR - 1), None);
    let body = said(&mut store, MONDAY + 2 * HOUR).unwrap();
    assert!(body.contains("web-1: no ban for 2 h on the route ssh"), "{body}");
    assert_eq!(said(&mut store, MONDAY + 5 * HOUR), None);
    ban(&mut store, "nginx", MONDAY + 5 * HOUR);
    assert_eq!(said(&mut store, MONDAY + 5 * HOUR), None);
    ban(&mut store, "sshd", MONDAY + 6 * HOUR);
    let body = said(&mut store, MONDAY + 6 * HOUR).unwrap();
    assert!(body.contains("bans again on the route ssh, after 6 h without one"), "{body}");
    // A ban by a clock that is days ahead is one, and hides none that comes after it.
    ban_by_clock(&mut store, "sshd", MONDAY + 100 * HOUR, MONDAY + 7 * HOUR);
    assert_eq!(said(&mut store, MONDAY + 9 * HOUR - 1), None);
    ban(&mut store, "sshd", MONDAY + 9 * HOUR - 1);
    assert_eq!(said(&mut store, MONDAY + 10 * HOUR), None);
    let body = said(&mut store, MONDAY + 11 * HOUR).unwrap();
    assert!(body.contains("no ban for 2 h on the route ssh"), "{body}");
}
