//! Crashes: any process is killed at any moment while the webhook misbehaves. Each event that `notify` acknowledged is
//! delivered, only what a crash or a lost response interrupts is sent twice, and the ledger always balances.

mod scenario;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use scenario::{Chat, Scenario, Totals};

use crate::component;
use crate::delivered::{events_of, jail, jails_of};
use crate::polling::until;
use crate::reliability::report;
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::shown;

/// Takes about a minute; `BANHOOK_SOAK=2000` finds what happens once in a thousand rounds.
const ROUNDS: u32 = 100;
/// Rounds that run concurrently: mostly they wait for a webhook.
const THREADS: u32 = 4;
/// Rounds on the same state directory: each begins with the state that the previous one left.
const ROUNDS_PER_FOLDER: u32 = 10;
/// The same with apps, whose messages are changed every five seconds at most.
const ROUNDS_OF_APPS: u32 = 20;
const ROUNDS_PER_FOLDER_OF_APPS: u32 = 5;

#[test]
fn crash_at_any_moment_delivers_every_acknowledged_event() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS, |text| text.parse().unwrap());
    crash(Chat::Webhooks, rounds, ROUNDS_PER_FOLDER, "crash");
}

#[test]
fn crash_at_any_moment_shows_every_acknowledged_event_in_the_channel_of_an_app() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS_OF_APPS, |text| text.parse::<u32>().unwrap() / 5);
    crash(Chat::Apps, rounds, ROUNDS_PER_FOLDER_OF_APPS, "crash::apps");
}

fn crash(chat: Chat, rounds: u32, rounds_per_folder: u32, name: &str) {
    let (seed, start) = (seed(), Instant::now());
    let (next, totals) = (AtomicU32::new(0), Mutex::new(Totals::default()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(rounds_per_folder, Ordering::Relaxed);
                    if first >= rounds {
                        break;
                    }
                    let mut scenario = Scenario::set_up(chat);
                    for number in first..rounds.min(first + rounds_per_folder) {
                        scenario.round(SeededRandom::new("round", seed, number));
                    }
                    *totals.lock().unwrap() += scenario.totals();
                }
            });
        }
    });
    let totals = totals.lock().unwrap();
    eprintln!("{rounds} rounds in {:?}, seed {seed}: {totals:?}", start.elapsed());
    report(name, &totals.rows(chat));
}

/// Long enough to kill a daemon and start another one before a digest closes.
const WINDOW: &str = "digest_window = \"6s\"\nrestart = false";

/// The number of events in open digests, from `status`.
fn digest_events(env: &TestEnv) -> u64 {
    let status = env.status(["status", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    json["webhooks"]["main"]["digest_events"].as_u64().unwrap_or(0)
}

#[track_caller]
fn wait_for_digest_events(env: &TestEnv, expected: u64) {
    until("events in an open digest", || match digest_events(env) {
        events if events == expected => Ok(()),
        events => Err(format!("{events}")),
    });
}

#[test]
fn storm_digest_open_during_kills_is_sent_once() {
    let env = TestEnv::new();
    env.configure_both(QUICK, &format!("storm = {{ threshold = 1, within = \"60s\" }}\n{WINDOW}"));
    let ban = |number: u32| env.notify(&format!("--no-spawn ban --jail={} --ip=203.0.113.{number}", jail(number)));
    let daemon = env.daemon();
    ban(1);
    env.webhook.wait_for(1);
    (2..=4).for_each(|number| drop(ban(number)));
    wait_for_digest_events(&env, 3);
    drop(daemon);
    ban(5);
    let daemon = env.daemon();
    wait_for_digest_events(&env, 4);
    drop(daemon);
    ban(6);
    let _daemon = env.daemon();
    let messages = env.webhook.wait_for(2);
    assert_eq!(events_of(&messages[1]), Some(5), "{:#?}", shown(&messages));
    assert_eq!(jails_of(&messages[1]), (2..=6).map(jail).collect(), "{:#?}", shown(&messages));
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted, all.digested), (6, 1, 5), "{all:?}");
    assert_eq!(env.webhook.arrived().len(), 2);
}

#[test]
fn held_events_during_kills_are_sent_once() {
    let env = TestEnv::new();
    env.write("digests.wasm", component::digests());
    env.configure_both(QUICK, &format!("plugin = \"digests.wasm\"\nstorm = false\n{WINDOW}"));
    let ban = |jail: &str, number: u32| {
        env.notify(&format!("--no-spawn ban --jail={jail} --ip=203.0.113.{number}"));
    };
    let daemon = env.daemon();
    ban("sshd", 1);
    assert!(env.webhook.wait_for(1)[0].contains(&["ban 203.0.113.1 in sshd"]));
    (2..=4).for_each(|number| ban("~hold", number));
    // Held for nine seconds under a key of their own.
    (5..=6).for_each(|number| ban("~hold-9", number));
    wait_for_digest_events(&env, 5);
    drop(daemon);
    let daemon = env.daemon();
    ban("~hold", 7);
    ban("~hold-9", 8);
    wait_for_digest_events(&env, 7);
    drop(daemon);
    let _daemon = env.daemon();
    let messages = env.webhook.wait_for(3);
    for (message, text) in messages[1..].iter().zip([
        "4 events (held, ~hold), 4 listed, 4 bans, 4 of ~hold",
        "3 events (held, ~hold-9), 3 listed, 3 bans, 3 of ~hold-9",
    ]) {
        assert!(message.contains(&[text]), "{text:?} in {:#?}", shown(&messages));
    }
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted, all.digested), (8, 1, 7), "{all:?}");
    assert_eq!(env.webhook.arrived().len(), 3);
}
