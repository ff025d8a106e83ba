//! The channel of a Slack app as a conversation: an unban changes its ban's message, and what belongs together is a thread.

mod kills;

use std::time::Duration;

use rustix::process::Signal;

use crate::slack_app::Posted;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Fault, Webhook};

const CLOSED: &str = r#"{"ok":false,"error":"edit_window_closed"}"#;

fn ban(env: &TestEnv, ip: &str, time: u32) {
    env.notify(&format!("ban --jail=sshd --ip={ip} --time={time}"));
}

fn unban(env: &TestEnv, ip: &str, time: u32) {
    env.notify(&format!("unban --jail=sshd --ip={ip} --time={time}"));
}

/// Waits until this many messages are there.
#[track_caller]
fn posts(env: &TestEnv, count: usize) -> Vec<Posted> {
    env.webhook.wait_for_channel(&format!("{count} messages"), |channel| channel.len() >= count)
}

#[test]
fn unban_changes_the_message_of_its_ban() {
    let env = TestEnv::with_app("");
    let _daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    posts(&env, 1);
    env.wait_until_idle();
    unban(&env, "203.0.113.7", 1_763_809_011);
    let channel = env.webhook.wait_for_channel("the change", |channel| channel[0].versions.len() == 2);
    assert_eq!(channel.len(), 1, "{channel:#?}");
    assert!(channel[0].versions[0].contains(&["203.0.113.7", "banned"]));
    assert!(channel[0].shown().contains(&["203.0.113.7", "unbanned"]));
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted), (2, 2), "{all:?}");
}

#[test]
fn repeat_offender_is_in_the_thread_of_the_first_ban() {
    let env = TestEnv::with_app("");
    let daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    ban(&env, "203.0.113.8", 1_763_809_012);
    posts(&env, 2);
    unban(&env, "203.0.113.7", 1_763_809_011);
    env.webhook.wait_for_channel("the change", |channel| channel[0].versions.len() == 2);
    // Where a message is survives the daemon.
    daemon.stop();
    let _next = env.daemon();
    ban(&env, "203.0.113.7", 1_763_899_011);
    let channel = posts(&env, 3);
    let threads: Vec<_> = channel.iter().map(|posted| posted.thread_ts.as_ref()).collect();
    assert_eq!(threads, [None, None, Some(&channel[0].ts)]);
    // The end of the second ban changes the message of the second.
    unban(&env, "203.0.113.7", 1_763_899_011);
    let channel = env.webhook.wait_for_channel("the change", |channel| channel[2].versions.len() == 2);
    assert_eq!((channel.len(), channel[0].versions.len()), (3, 2), "{channel:#?}");
    assert_eq!(env.wait_until_idle().all().posted, 5);
}

#[test]
fn ban_and_unban_that_were_not_sent_yet_are_one_message() {
    let env = TestEnv::with_app("");
    env.webhook.stop();
    ban(&env, "203.0.113.6", 1_763_809_010);
    let daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    until_formatted(&env, 2);
    unban(&env, "203.0.113.7", 1_763_809_011);
    until_formatted(&env, 3);
    env.webhook.start();
    let channel = posts(&env, 2);
    let all = env.wait_until_idle().all();
    assert_eq!((channel.len(), all.posted), (2, 3), "{channel:#?}");
    assert!(
        channel[1].versions.len() == 1 && channel[1].shown().contains(&["203.0.113.7", "unbanned", "was banned for"])
    );
    daemon.stop();
}

#[test]
fn changes_hold_up_no_post_and_the_newest_wins() {
    let env = TestEnv::with_app("");
    let _daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    posts(&env, 1);
    env.wait_until_idle();
    env.webhook.inject(&[Fault::RateLimited(2)]);
    unban(&env, "203.0.113.7", 1_763_809_011);
    crate::polling::until("the refused change", || match env.webhook.requests().len() {
        2.. => Ok(()),
        _ => Err(String::new()),
    });
    ban(&env, "203.0.113.8", 1_763_809_012);
    let channel = posts(&env, 2);
    assert_eq!(channel[0].versions.len(), 1, "the post went first: {channel:#?}");
    env.webhook.wait_for_channel("the change", |channel| channel[0].versions.len() == 2);
    assert_eq!(env.wait_until_idle().all().posted, 3);
}

#[test]
fn change_that_slack_refuses_is_a_reply_and_of_a_deleted_message_one_of_its_own() {
    let env = TestEnv::with_app("");
    let _daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    ban(&env, "203.0.113.8", 1_763_809_012);
    let channel = posts(&env, 2);
    env.wait_until_idle();
    env.webhook.inject(&[Fault::Answer("200 OK", CLOSED)]);
    unban(&env, "203.0.113.7", 1_763_809_011);
    let reply = posts(&env, 3).remove(2);
    assert_eq!(reply.thread_ts.as_ref(), Some(&channel[0].ts));
    assert!(reply.shown().contains(&["203.0.113.7", "unbanned"]));
    env.webhook.delete(&channel[1].ts);
    unban(&env, "203.0.113.8", 1_763_809_012);
    let own = posts(&env, 4).remove(3);
    assert!(own.thread_ts.is_none() && own.shown().contains(&["203.0.113.8", "unbanned"]));
    assert_eq!(env.wait_until_idle().all().posted, 4);
}

#[test]
fn unban_of_a_ban_in_a_digest_is_what_the_route_says() {
    for (setting, replies, messages, skipped) in [("reply", 1, 1, 0), ("message", 0, 2, 0), ("skip", 0, 1, 1)] {
        let env = TestEnv::with_app("");
        let route = format!(
            "restart = false\nstorm = {{ threshold = 1, within = \"1s\" }}\ndigest_window = \"1s\"\nchange_fallback = \"{setting}\""
        );
        env.configure_app("rate = \"1000/s\"\nburst = 1000", &route);
        let _daemon = env.daemon();
        for number in 1..=4 {
            ban(&env, &format!("203.0.113.{number}"), 1_763_809_010 + number);
        }
        env.webhook
            .wait_for_channel("the digest", |channel| channel.iter().any(|one| one.shown().contains(&["3 more bans"])));
        env.wait_until_idle();
        env.webhook.wait_for_channel("the end of the storm", |channel| {
            channel.iter().any(|one| one.shown().contains(&["Storm over: 3 more bans"]))
        });
        unban(&env, "203.0.113.4", 1_763_809_014);
        let channel = env.webhook.wait_for_channel("the unban", |channel| channel.len() == 1 + messages + replies);
        let beneath = channel.iter().filter(|one| one.thread_ts.is_some()).count();
        let all = env.wait_until_idle().all();
        assert_eq!((beneath, all.skipped), (replies, skipped), "{setting}: {channel:#?}");
    }
}

#[test]
fn daemon_killed_at_a_change_loses_nothing_and_changes_at_most_twice() {
    let env = TestEnv::with_app("");
    let daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    posts(&env, 1);
    env.wait_until_idle();
    env.webhook.inject(&[Fault::Slow(Duration::from_secs(1))]);
    let requests = env.webhook.requests().len();
    unban(&env, "203.0.113.7", 1_763_809_011);
    crate::polling::until("the request", || match env.webhook.requests().len() > requests {
        true => Ok(()),
        false => Err(String::new()),
    });
    daemon.signal(Signal::KILL);
    drop(daemon);
    let _next = env.daemon();
    assert_eq!(env.wait_until_idle().all().posted, 2);
    let channel = env.webhook.channel();
    assert!(channel.len() == 1 && channel[0].versions.len() <= 3, "{channel:#?}");
}

#[test]
fn token_is_shown_nowhere_and_a_bad_one_suspends() {
    let env = TestEnv::with_app("");
    let token = "xoxb-1-OTHERSECRET";
    env.write("slack.token", token);
    let _daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    crate::polling::until("the suspension", || {
        let log = env.log();
        if log.contains("WEBHOOK SUSPENDED") && log.contains("invalid_auth") { Ok(()) } else { Err(log) }
    });
    let shown = env.banhook(["config", "show"]).ok().stdout + &env.log() + &env.banhook(["status"]).stdout;
    assert!(!shown.contains("OTHERSECRET"), "{shown}");
}

/// Waits until this many events are in messages or on their way there.
#[track_caller]
fn until_formatted(env: &TestEnv, count: u64) {
    crate::polling::until("the events to be formatted", || {
        let ledger = env.ledger();
        match ledger.unrouted == 0 && ledger.routes.get("all").is_some_and(|all| all.matched == count) {
            true => Ok(()),
            false => Err(format!("{ledger:?}")),
        }
    });
}

#[test]
fn storm_is_one_message_that_counts_up() {
    let env = TestEnv::with_app("");
    let route = "restart = false\nstorm = { threshold = 2, within = \"60s\" }\ndigest_window = \"1s\"";
    env.configure_app("rate = \"1000/s\"\nburst = 1000", route);
    let _daemon = env.daemon();
    let mut number = 0;
    let mut bans = |count: u32| {
        for _ in 0..count {
            number += 1;
            ban(&env, &format!("203.0.113.{number}"), 1_763_809_010 + number);
        }
    };
    bans(5);
    posts(&env, 3);
    for (more, all) in [(4, "7 more bans"), (2, "9 more bans")] {
        bans(more);
        let what = format!("{all} in one message");
        let channel = env.webhook.wait_for_channel(&what, |channel| channel[2].shown().contains(&[all]));
        assert_eq!(channel.len(), 3, "{channel:#?}");
    }
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted, all.digested), (11, 2, 9), "{all:?}");
    assert_eq!(env.webhook.channel().len(), 3);
}

#[test]
fn storm_that_is_over_says_so_whatever_happens_to_the_daemon() {
    let env = TestEnv::with_app("");
    let route = "restart = false\nstorm = { threshold = 2, within = \"4s\" }\ndigest_window = \"1s\"";
    env.configure_app("rate = \"1000/s\"\nburst = 1000", route);
    let daemon = env.daemon();
    for number in 1..=5 {
        ban(&env, &format!("203.0.113.{number}"), 1_763_809_010 + number);
    }
    posts(&env, 3);
    assert!(daemon.kill().is_none());
    let _next = env.daemon();
    let channel = env.webhook.wait_for_channel("the end of the storm", |channel| channel[2].versions.len() == 2);
    assert!(channel[2].shown().contains(&["Storm over: 3 more bans", "203.0.113.5"]), "{channel:#?}");
    let all = env.wait_until_idle().all();
    assert_eq!((channel.len(), all.posted, all.digested), (3, 2, 3), "{all:?}");
    // The next one is another message.
    for number in 11..=15 {
        ban(&env, &format!("203.0.113.{number}"), 1_763_809_010 + number);
    }
    let channel = env
        .webhook
        .wait_for_channel("the end of another storm", |channel| channel.len() == 6 && channel[5].versions.len() == 2);
    assert_eq!((channel[2].versions.len(), env.log().contains("panicked")), (2, false), "{channel:#?}");
}

#[test]
fn message_of_which_no_answer_came_is_looked_for_before_it_is_sent_again() {
    let env = TestEnv::with_app("");
    env.configure_app(&format!("{QUICK}\ncheck_history = true"), "storm = false");
    let _daemon = env.daemon();
    // The channel's id is known from the first answer.
    ban(&env, "203.0.113.6", 1_763_809_010);
    posts(&env, 1);
    env.wait_until_idle();
    env.webhook.inject(&[Fault::ResetAfterAccepting, Fault::ResetAfterAccepting]);
    ban(&env, "203.0.113.7", 1_763_809_011);
    assert_eq!(env.wait_until_idle().all().posted, 2);
    assert!(env.log().contains("the answer to it was lost"), "{}", env.log());
    // What was found can be changed.
    unban(&env, "203.0.113.7", 1_763_809_011);
    let channel = env.webhook.wait_for_channel("the change", |channel| channel[1].versions.len() == 2);
    assert_eq!(channel.len(), 2, "{channel:#?}");
    // Without the scope it may arrive twice, and the log says why.
    env.webhook
        .inject(&[Fault::ResetAfterAccepting, Fault::Answer("200 OK", r#"{"ok":false,"error":"missing_scope"}"#)]);
    ban(&env, "203.0.113.8", 1_763_809_012);
    assert_eq!(env.wait_until_idle().all().posted, 4);
    assert_eq!(env.webhook.channel().len(), 4);
    assert!(env.log().contains("message may arrive twice: the channel cannot be asked for it: 200 missing_scope"));
}

#[test]
fn unban_changes_the_message_of_its_ban_on_discord() {
    let mut env = TestEnv::new();
    env.webhook = Webhook::open_discord();
    env.write_url("main.url", &env.webhook);
    env.configure_both(&format!("target = \"discord\"\n{QUICK}"), "storm = false\nrestart = false");
    let _daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    ban(&env, "203.0.113.8", 1_763_809_012);
    env.wait_until_idle();
    unban(&env, "203.0.113.7", 1_763_809_011);
    assert_eq!(env.wait_until_idle().all().posted, 3);
    let channel = env.webhook.discord_channel();
    assert!(channel.len() == 2 && channel[0].len() == 2 && channel[1].len() == 1, "{channel:#?}");
    assert!(channel[0][0].contains("banned") && channel[0][1].contains("unbanned"), "{channel:#?}");
}

#[test]
fn unban_after_a_restart_changes_the_message_of_its_ban() {
    let env = TestEnv::with_app("");
    env.configure_app(QUICK, "storm = false\nrestart = \"1s\"\nchange_fallback = \"skip\"");
    let _daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    posts(&env, 1);
    for line in [
        "unban --jail=sshd --ip=203.0.113.7 --time=1763809011",
        "stop --jail=sshd",
        "start --jail=sshd",
        "ban --jail=sshd --ip=203.0.113.7 --time=1763809011 --restored=1",
    ] {
        env.notify(line);
    }
    // The restart is one message, and changes none.
    let channel = posts(&env, 2);
    env.wait_until_idle();
    assert_eq!((channel[0].versions.len(), channel.len()), (1, 2), "{channel:#?}");
    unban(&env, "203.0.113.7", 1_763_809_011);
    let channel = env.webhook.wait_for_channel("the change", |channel| channel[0].versions.len() == 2);
    assert!(channel.len() == 2 && channel[0].shown().contains(&["203.0.113.7", "unbanned"]), "{channel:#?}");
    assert_eq!(env.wait_until_idle().all().skipped, 0);
}

#[test]
fn same_event_on_two_routes_is_looked_for_by_route() {
    let env = TestEnv::with_app("");
    let second = "storm = false\n[[routes]]\nname = \"again\"\nwebhook = \"main\"\nstorm = false";
    env.configure_app(&format!("{QUICK}\ncheck_history = true"), second);
    let _daemon = env.daemon();
    ban(&env, "203.0.113.6", 1_763_809_010);
    posts(&env, 2);
    env.wait_until_idle();
    // The message of one route arrives, and that of the other does not.
    env.webhook.inject(&[Fault::Slow(Duration::from_millis(1)), Fault::ServerError]);
    ban(&env, "203.0.113.7", 1_763_809_011);
    posts(&env, 4);
    env.wait_until_idle();
    assert_eq!(env.webhook.channel().len(), 4);
}

#[test]
fn another_channel_gets_messages_of_its_own() {
    let env = TestEnv::with_app("");
    let _daemon = env.daemon();
    ban(&env, "203.0.113.7", 1_763_809_011);
    posts(&env, 1);
    env.wait_until_idle();
    let text = std::fs::read_to_string(env.config()).unwrap();
    env.write("config.toml", text.replace(crate::slack_app::CHANNEL_NAME, crate::slack_app::CHANNEL));
    crate::polling::until("the configuration to be used", || {
        let log = env.log();
        if log.contains("configuration reloaded") { Ok(()) } else { Err(log) }
    });
    unban(&env, "203.0.113.7", 1_763_809_011);
    ban(&env, "203.0.113.7", 1_763_899_011);
    let channel = posts(&env, 3);
    env.wait_until_idle();
    assert!(channel.iter().all(|posted| posted.versions.len() == 1), "{channel:#?}");
    assert_eq!(channel[2].thread_ts.as_ref(), Some(&channel[1].ts), "{channel:#?}");
}
