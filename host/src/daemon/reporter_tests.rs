use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
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
    let context = Context { sent: Arc::new(Notify::new()), system_host: "host".to_owned(), now };
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
