//! Daemons that are killed while bans come and end, and while Slack fails in every way.

use std::thread;

use crate::binary::banhook;
use crate::reliability::{FaultRow, report};
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::TestEnv;
use crate::webhook::Fault;

/// `BANHOOK_SOAK=500` takes half an hour.
const ROUNDS: u32 = 20;
/// Addresses of each round, of which each is banned, and most are lifted.
const ADDRESSES: u32 = 4;

/// An address of a round, which no other has, and is no part of another.
fn address(round: u32, number: u32) -> String {
    let all = round * ADDRESSES + number;
    format!("10.7.{}.{}", all / 100 + 100, all % 100 + 100)
}

fn fault(random: &mut SeededRandom) -> Fault {
    match random.below(12) {
        0 => Fault::RateLimited(1),
        1 | 2 => Fault::ServerError,
        3 => Fault::ResetBeforeReading,
        4 | 5 => Fault::ResetAfterAccepting,
        6 => Fault::Answer("200 OK", r#"{"ok":false,"error":"edit_window_closed"}"#),
        _ => Fault::Slow(random.duration(60)),
    }
}

#[test]
fn conversation_with_kills_at_any_moment_shows_the_end_of_each_ban() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS, |text| text.parse().unwrap());
    let (seed, env) = (seed(), TestEnv::with_app(""));
    env.copy_plugin_cache();
    let (mut kills, mut events) = (0, 0);
    for round in 0..rounds {
        let mut random = SeededRandom::new("round", seed, round);
        let faults: Vec<_> = (0..random.below(4)).map(|_| fault(&mut random)).collect();
        env.webhook.inject(&faults);
        let lifted: Vec<_> = (0..ADDRESSES).map(|_| !random.one_in(4)).collect();
        events += ADDRESSES as usize + lifted.iter().filter(|lifted| **lifted).count();
        thread::scope(|scope| {
            let (for_events, env, lifted) = (random.fork(), &env, &lifted);
            scope.spawn(move || report_all(env, round, lifted, for_events));
            for _ in 0..=random.below(2) {
                let daemon = env.spawn(env.command(banhook()).arg("run"));
                thread::sleep(random.duration(700)); // not a wait: a different moment each time
                kills += usize::from(daemon.kill().is_none());
            }
        });
        let daemon = env.daemon();
        let all = env.wait_until_idle().all();
        daemon.stop();
        assert_eq!((all.matched, all.posted), (events as u64, events as u64), "seed {seed}: {all:?}");
        let channel = env.webhook.channel();
        for (number, lifted) in (0..).zip(lifted) {
            let address = address(round, number);
            let of: Vec<_> = channel.iter().filter(|posted| posted.shown().contains(&[&address])).collect();
            let words = if lifted { "unbanned" } else { "banned" };
            let is_right = |shown: &crate::message::Message| shown.contains(&[&address, words]);
            assert!(of.iter().any(|posted| is_right(posted.shown())), "seed {seed}: {address} is not {words}: {of:#?}");
        }
    }
    let channel = env.webhook.channel();
    let first =
        |posted: &crate::slack_app::Posted| posted.versions[0].shown().split('`').nth(1).unwrap_or_default().to_owned();
    let (mut seen, mut again) = (std::collections::BTreeSet::new(), 0);
    for posted in channel.iter().filter(|posted| posted.thread_ts.is_none()) {
        again += usize::from(!seen.insert(first(posted)));
    }
    let lost = env.webhook.lost_responses();
    assert!(again <= kills + lost, "{again} sent again, after {kills} kills and {lost} lost answers: {channel:#?}");
    let changes: usize = channel.iter().map(|posted| posted.versions.len() - 1).sum();
    let result = format!(
        "{events} events, none lost; {} messages and {changes} changes; {again} messages sent twice",
        channel.len()
    );
    let fault = "app: the daemon is killed while bans come and end, and Slack fails".to_owned();
    report("conversation", &[FaultRow { fault, count: kills as u64, result }]);
}

/// Bans each address, and lifts the bans of some.
fn report_all(env: &TestEnv, round: u32, lifted: &[bool], mut random: SeededRandom) {
    for (number, lifted) in (0..).zip(lifted) {
        let (address, time) = (address(round, number), 1_763_809_011 + number);
        let mut notify = |kind: &str| {
            thread::sleep(random.duration(120)); // not a wait: a different moment each time
            env.notify(&format!("--no-spawn {kind} --jail=sshd --ip={address} --time={time} --bantime=600"));
        };
        notify("ban");
        if *lifted {
            notify("unban");
        }
    }
}
