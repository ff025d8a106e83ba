//! A misbehaving webhook: every message arrives, in order, and once.

use std::time::Duration;

use rustix::process::Signal;

use crate::polling::until;
use crate::test_env::TestEnv;
use crate::webhook::{Fault, Webhook, shown};

/// Five bans in a row, `.1` to `.5`.
fn five_bans(env: &TestEnv) {
    for number in 1..=5 {
        env.notify(&format!("ban --jail=sshd --ip=203.0.113.{number} --time=176380901{number}"));
    }
}

/// Waits for all five, in the order of the bans, each once.
#[track_caller]
fn wait_for_all_five(webhook: &Webhook) {
    let messages = webhook.wait_for(5);
    for (number, message) in (1..=5).zip(&messages) {
        assert!(message.contains(&[&format!("203.0.113.{number}")]), "{:#?}", shown(&messages));
    }
}

/// How often each of `.1` to `.5` arrived.
fn arrival_counts(webhook: &Webhook) -> Vec<usize> {
    let messages = webhook.arrived();
    let of = |number| messages.iter().filter(|message| message.contains(&[&format!("203.0.113.{number}")])).count();
    (1..=5).map(of).collect()
}

/// Checks that all five arrive although the first requests have these faults.
#[track_caller]
fn all_five_arrive_despite(faults: &[Fault]) {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook.inject(faults);
    five_bans(&env);
    wait_for_all_five(&env.webhook);
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted), (5, 5), "{all:?}");
    assert_eq!(env.webhook.arrived().len(), 5, "nothing arrives twice");
}

#[test]
fn webhook_down_receives_everything_when_back() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook.stop();
    five_bans(&env);
    let ledger = env.ledger();
    assert_eq!(ledger.unrouted + ledger.all().pending, 5, "{ledger:?}");
    env.webhook.start();
    wait_for_all_five(&env.webhook);
    let ledger = env.wait_until_idle();
    assert_eq!(ledger.all().posted, 5, "{ledger:?}");
    assert_eq!(env.webhook.arrived().len(), 5);
}

#[test]
fn webhook_down_without_daemon_receives_everything_when_back() {
    let env = TestEnv::new();
    env.webhook.stop();
    five_bans(&env);
    env.webhook.start();
    wait_for_all_five(&env.webhook);
    assert_eq!(env.wait_until_idle().all().posted, 5);
}

#[test]
fn stopped_daemon_messages_are_delivered_by_the_next() {
    let env = TestEnv::new();
    let daemon = env.daemon();
    env.webhook.stop();
    five_bans(&env);
    daemon.stop();
    env.webhook.start();
    let _next = env.daemon();
    wait_for_all_five(&env.webhook);
    assert_eq!(env.wait_until_idle().all().posted, 5);
}

#[test]
fn daemon_killed_during_request_repeats_at_most_that_message() {
    let env = TestEnv::new();
    let daemon = env.daemon();
    env.webhook.inject(&[Fault::Slow(Duration::from_secs(1))]);
    five_bans(&env);
    until("the first request", || if env.webhook.requests().is_empty() { Err(String::new()) } else { Ok(()) });
    drop(daemon);
    let _next = env.daemon();
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted), (5, 5), "{all:?}");
    let counts = arrival_counts(&env.webhook);
    assert!((1..=2).contains(&counts[0]) && counts[1..] == [1; 4], "{counts:?}");
}

#[test]
fn server_error_is_retried() {
    all_five_arrive_despite(&[Fault::ServerError, Fault::ServerError]);
}

#[test]
fn connection_reset_before_request_is_retried() {
    all_five_arrive_despite(&[Fault::ResetBeforeReading]);
}

#[test]
fn webhook_slow_response_is_awaited() {
    all_five_arrive_despite(&[Fault::Slow(Duration::from_secs(2))]);
}

#[test]
fn rate_limited_request_honours_retry_after() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::RateLimited(3)]);
    five_bans(&env);
    wait_for_all_five(&env.webhook);
    let requests = env.webhook.requests();
    assert_eq!(requests.len(), 6, "one was rate limited, five were accepted");
    let waited = requests[1] - requests[0];
    assert!((Duration::from_secs(3)..Duration::from_secs(6)).contains(&waited), "retried after {waited:?}");
}

#[test]
fn lost_response_repeats_at_most_one_message() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::ResetAfterAccepting]);
    five_bans(&env);
    let all = env.wait_until_idle().all();
    assert_eq!(all.posted, 5, "{all:?}");
    // The sender cannot know whether the first was accepted: it is repeated, and nothing else is.
    assert_eq!(arrival_counts(&env.webhook), [2, 1, 1, 1, 1]);
}

#[test]
fn suspended_webhook_keeps_messages_until_url_changes() {
    let env = TestEnv::new();
    env.webhook.inject(&[Fault::NoService]);
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
    let drained = env.banhook(["drain", "--timeout", "20s"]).exits(1);
    assert!(drained.took < Duration::from_secs(10), "nothing to wait for: {drained}");
    assert!(drained.stderr.contains("is suspended (404 no_service)"), "{drained}");
    let all = env.ledger().all();
    assert_eq!((all.matched, all.pending), (1, 1), "{all:?}");
    assert!(env.webhook.arrived().is_empty());
    assert_eq!(env.webhook.requests().len(), 1, "it is not retried");
    let status = env.status(["status"]);
    assert!(status.stdout.contains("suspended ") && status.stdout.contains("404 no_service"), "{status}");
    assert!(!format!("{drained}{status}").contains(env.webhook.secret()), "{drained}{status}");
    let replacement = Webhook::open();
    env.write_url("main.url", &replacement);
    env.banhook(["drain", "--timeout", "20s"]).ok();
    assert!(replacement.wait_for(1)[0].contains(&["203.0.113.7"]));
    assert!(!env.status(["status"]).stdout.contains("suspended "));
}

#[test]
fn suspended_webhook_is_probed_on_request() {
    let env = TestEnv::new();
    env.webhook.inject(&[Fault::NoService]);
    let daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    let is_suspended = || match env.status(["status"]).stdout.contains("suspended ") {
        true => Ok(()),
        false => Err("it is not suspended".to_owned()),
    };
    until("the webhook to be suspended", is_suspended);
    // The webhook was restored on its own side: the URL is the same.
    env.banhook(["drain", "--timeout", "20s"]).ok();
    env.webhook.wait_for(1);
    env.webhook.inject(&[Fault::NoService]);
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    until("the webhook to be suspended", is_suspended);
    daemon.signal(Signal::HUP);
    env.webhook.wait_for(2);
    env.webhook.inject(&[Fault::NoService]);
    env.notify("ban --jail=sshd --ip=203.0.113.3");
    until("the webhook to be suspended", is_suspended);
    assert!(!env.status(["status"]).stdout.contains("No daemon is running"));
    assert!(env.log().matches("webhook recovered").count() >= 2, "{}", env.log());
    assert!(daemon.kill().is_none());
    assert!(env.status(["status"]).stdout.contains("No daemon is running"));
    let _daemon = env.daemon();
    env.webhook.wait_for(3);
}

#[test]
fn suspended_webhook_keeps_its_time_and_is_logged_once() {
    let env = TestEnv::new();
    env.webhook.inject(&[Fault::NoService; 3]);
    let daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    let since = || {
        let status = env.status(["status", "--format", "json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&status).unwrap();
        json["webhooks"]["main"]["suspended_at"].as_str().map(str::to_owned)
    };
    let first = until("the webhook to be suspended", || since().ok_or_else(|| "it is not suspended".to_owned()));
    for requests in 2..=3 {
        daemon.signal(Signal::HUP);
        until("another request", || match env.webhook.requests().len() {
            count if count >= requests => Ok(()),
            count => Err(format!("{count}")),
        });
        assert_eq!(since().as_ref(), Some(&first));
    }
    assert_eq!(env.log().matches("WEBHOOK SUSPENDED").count(), 1, "{}", env.log());
}

#[test]
fn fallback_webhook_receives_messages_of_suspended_webhook() {
    let env = TestEnv::new();
    let ops = Webhook::open();
    env.write_url("ops.url", &ops);
    env.configure(
        "fallback_webhook = \"ops\"\n[webhooks.ops]\nurl_file = \"ops.url\"\nrate = \"1000/s\"\nburst = 1000",
    );
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::NoService; 9]);
    five_bans(&env);
    wait_for_all_five(&ops);
    assert_eq!(env.wait_until_idle().all().posted, 5);
    assert_eq!(env.webhook.requests().len(), 1);
}

#[test]
fn fallback_webhook_in_short_run_receives_messages() {
    let env = TestEnv::new();
    let ops = Webhook::open();
    env.write_url("ops.url", &ops);
    env.configure(
        "fallback_webhook = \"ops\"\n[webhooks.ops]\nurl_file = \"ops.url\"\nrate = \"1000/s\"\nburst = 1000",
    );
    env.webhook.inject(&[Fault::NoService; 9]);
    for number in 1..=3 {
        env.notify(&format!("ban --jail=sshd --ip=203.0.113.{number}"));
        ops.wait_for(number);
        until("the run to exit", || match env.processes().len() {
            0 => Ok(()),
            more => Err(format!("{more} processes")),
        });
    }
    assert_eq!(env.ledger().all().posted, 3);
    assert_eq!(env.webhook.requests().len(), 1);
}

#[test]
fn message_failing_repeatedly_does_not_block_others() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::ServerError; 3]);
    five_bans(&env);
    let messages = env.webhook.wait_for(5);
    let position = |number: u32| {
        let subject = format!("203.0.113.{number}");
        messages
            .iter()
            .position(|message| message.contains(&[&subject]))
            .unwrap_or_else(|| panic!("{subject} is missing"))
    };
    // The second is sent as soon as the first has failed three times.
    assert_eq!((position(2), position(3), position(4)), (0, 1, 2), "{:#?}", shown(&messages));
    assert_eq!(env.wait_until_idle().all().posted, 5);
    assert_eq!(env.webhook.arrived().len(), 5);
}

#[test]
fn drain_timing_out_reports_pending_messages() {
    let env = TestEnv::new();
    env.webhook.stop();
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
    env.banhook(["drain", "--timeout", "1s"]).exits(1);
    let ledger = env.ledger();
    assert_eq!(ledger.unrouted + ledger.all().pending, 1, "{ledger:?}");
    env.webhook.start();
    env.banhook(["drain", "--timeout", "20s"]).ok();
    env.webhook.wait_for(1);
}

#[test]
fn route_receives_only_matching_events() {
    let env = TestEnv::with_route("jails = [\"ssh*\"]\nevents = [\"ban\"]");
    for line in ["start --jail=sshd", "ban --jail=nginx --ip=203.0.113.1", "ban --jail=sshd --ip=203.0.113.2"] {
        env.notify(&format!("--no-spawn {line}"));
    }
    env.banhook(["drain", "--timeout", "20s"]).ok();
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.2"]));
    let ledger = env.ledger();
    assert_eq!((ledger.unmatched, ledger.routed, ledger.all().matched), (2, 1, 1), "{ledger:?}");
}
