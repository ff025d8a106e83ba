//! Whatever the webhook does, everything arrives, in order, and once.

use std::time::Duration;

use rustix::process::Signal;

use crate::place::Place;
use crate::unrouted::until;
use crate::webhook::{Fault, Webhook, shown};

/// Five bans in a row, `.1` to `.5`.
fn five_bans(place: &Place) {
    for number in 1..=5 {
        place.notify(&format!("ban --jail=sshd --ip=203.0.113.{number} --time=176380901{number}"));
    }
}

/// All five, in the order in which they happened, each once.
#[track_caller]
fn all_five_arrived(webhook: &Webhook) {
    let messages = webhook.wait_for(5);
    for (number, message) in (1..=5).zip(&messages) {
        assert!(message.tells(&[&format!("203.0.113.{number}")]), "{:#?}", shown(&messages));
    }
}

/// Of `.1` to `.5`.
fn how_often_each_arrived(webhook: &Webhook) -> Vec<usize> {
    let messages = webhook.arrived();
    let of = |number| messages.iter().filter(|message| message.tells(&[&format!("203.0.113.{number}")])).count();
    (1..=5).map(of).collect()
}

/// With these faults for the first requests.
#[track_caller]
fn all_five_arrive_despite(faults: &[Fault]) {
    let place = Place::new();
    let _daemon = place.daemon();
    place.webhook.will(faults);
    five_bans(&place);
    all_five_arrived(&place.webhook);
    let all = place.settle().all();
    assert_eq!((all.matched, all.posted), (5, 5), "{all:?}");
    assert_eq!(place.webhook.arrived().len(), 5, "nothing comes twice");
}

#[test]
fn a_webhook_that_is_down_gets_everything_once_it_is_up() {
    let place = Place::new();
    let _daemon = place.daemon();
    place.webhook.gone();
    five_bans(&place);
    let ledger = place.ledger();
    assert_eq!(ledger.unrouted + ledger.all().pending, 5, "{ledger:?}");
    place.webhook.back();
    all_five_arrived(&place.webhook);
    let ledger = place.settle();
    assert_eq!(ledger.all().posted, 5, "{ledger:?}");
    assert_eq!(place.webhook.arrived().len(), 5);
}

#[test]
fn a_webhook_that_is_down_gets_everything_once_it_is_up_without_a_daemon() {
    let place = Place::new();
    place.webhook.gone();
    five_bans(&place);
    place.webhook.back();
    all_five_arrived(&place.webhook);
    assert_eq!(place.settle().all().posted, 5);
}

#[test]
fn what_a_stopped_daemon_left_is_delivered_by_the_next() {
    let place = Place::new();
    let daemon = place.daemon();
    place.webhook.gone();
    five_bans(&place);
    daemon.stop();
    place.webhook.back();
    let _next = place.daemon();
    all_five_arrived(&place.webhook);
    assert_eq!(place.settle().all().posted, 5);
}

#[test]
fn a_daemon_killed_in_the_middle_of_a_message_loses_nothing_and_repeats_at_most_that_one() {
    let place = Place::new();
    let daemon = place.daemon();
    place.webhook.will(&[Fault::Slow(Duration::from_secs(1))]);
    five_bans(&place);
    until("the first message to be under way", || {
        if place.webhook.tries().is_empty() { Err(String::new()) } else { Ok(()) }
    });
    drop(daemon);
    let _next = place.daemon();
    let all = place.settle().all();
    assert_eq!((all.matched, all.posted), (5, 5), "{all:?}");
    let counts = how_often_each_arrived(&place.webhook);
    assert!((1..=2).contains(&counts[0]) && counts[1..] == [1; 4], "{counts:?}");
}

#[test]
fn server_errors_are_tried_again() {
    all_five_arrive_despite(&[Fault::ServerError, Fault::ServerError]);
}

#[test]
fn a_connection_broken_before_the_message_is_tried_again() {
    all_five_arrive_despite(&[Fault::ResetBeforeReading]);
}

#[test]
fn a_slow_answer_is_waited_for() {
    all_five_arrive_despite(&[Fault::Slow(Duration::from_secs(2))]);
}

#[test]
fn retry_after_is_honoured() {
    let place = Place::new();
    let _daemon = place.daemon();
    place.webhook.will(&[Fault::RateLimited(3)]);
    five_bans(&place);
    all_five_arrived(&place.webhook);
    let tries = place.webhook.tries();
    assert_eq!(tries.len(), 6, "one was told to wait, five were accepted");
    let waited = tries[1] - tries[0];
    assert!((Duration::from_secs(3)..Duration::from_secs(6)).contains(&waited), "tried again after {waited:?}");
}

#[test]
fn an_answer_that_never_came_costs_at_most_one_repetition() {
    let place = Place::new();
    let _daemon = place.daemon();
    place.webhook.will(&[Fault::ResetAfterAccepting]);
    five_bans(&place);
    let all = place.settle().all();
    assert_eq!(all.posted, 5, "{all:?}");
    // Nobody can know whether the first was taken: it comes once more, and nothing else does.
    assert_eq!(how_often_each_arrived(&place.webhook), [2, 1, 1, 1, 1]);
}

#[test]
fn a_webhook_that_is_gone_keeps_its_messages_until_its_url_is_mended() {
    let place = Place::new();
    place.webhook.will(&[Fault::NoService]);
    place.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
    let drained = place.banhook(["drain", "--timeout", "20s"]).exits(1);
    assert!(drained.took < Duration::from_secs(10), "there is nothing to wait for: {drained}");
    assert!(drained.stderr.contains("is gone (404 no_service)"), "{drained}");
    let all = place.ledger().all();
    assert_eq!((all.matched, all.pending), (1, 1), "{all:?}");
    assert!(place.webhook.arrived().is_empty());
    assert_eq!(place.webhook.tries().len(), 1, "it is not hammered");
    let status = place.banhook(["status"]).ok();
    assert!(status.stdout.contains("GONE") && status.stdout.contains("404 no_service"), "{status}");
    assert!(!format!("{drained}{status}").contains(place.webhook.secret()), "{drained}{status}");
    let mended = Webhook::open();
    place.write_url("main.url", &mended);
    place.banhook(["drain", "--timeout", "20s"]).ok();
    assert!(mended.wait_for(1)[0].tells(&["203.0.113.7"]));
    assert!(!place.banhook(["status"]).ok().stdout.contains("GONE"));
}

#[test]
fn a_webhook_that_is_gone_is_tried_again_when_somebody_asks_for_it() {
    let place = Place::new();
    place.webhook.will(&[Fault::NoService]);
    let daemon = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    let is_gone = || match place.banhook(["status"]).ok().stdout.contains("GONE") {
        true => Ok(()),
        false => Err("it is not".to_owned()),
    };
    until("the webhook to be gone", is_gone);
    // What made it so was mended on its own side: the URL is the same.
    place.banhook(["drain", "--timeout", "20s"]).ok();
    place.webhook.wait_for(1);
    place.webhook.will(&[Fault::NoService]);
    place.notify("ban --jail=sshd --ip=203.0.113.2");
    until("the webhook to be gone", is_gone);
    daemon.signal(Signal::HUP);
    place.webhook.wait_for(2);
    place.webhook.will(&[Fault::NoService]);
    place.notify("ban --jail=sshd --ip=203.0.113.3");
    until("the webhook to be gone", is_gone);
    assert!(!place.banhook(["status"]).ok().stdout.contains("NOTHING IS AT WORK"));
    assert!(place.said().matches("the webhook works again").count() >= 2, "{}", place.said());
    assert!(daemon.kill().is_none());
    assert!(place.banhook(["status"]).ok().stdout.contains("NOTHING IS AT WORK"));
    let _daemon = place.daemon();
    place.webhook.wait_for(3);
}

#[test]
fn since_when_a_webhook_is_gone_stays_known_and_is_said_once() {
    let place = Place::new();
    place.webhook.will(&[Fault::NoService; 3]);
    let daemon = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    let since = || {
        let status = place.banhook(["status", "--format", "json"]).ok().stdout;
        let json: serde_json::Value = serde_json::from_str(&status).unwrap();
        json["webhooks"]["main"]["suspended_at"].as_str().map(str::to_owned)
    };
    let first = until("the webhook to be gone", || since().ok_or_else(|| "it is not".to_owned()));
    for tries in 2..=3 {
        daemon.signal(Signal::HUP);
        until("it to be tried again", || match place.webhook.tries().len() {
            count if count >= tries => Ok(()),
            count => Err(format!("{count}")),
        });
        assert_eq!(since().as_ref(), Some(&first));
    }
    assert_eq!(place.said().matches("THE WEBHOOK IS GONE").count(), 1, "{}", place.said());
}

#[test]
fn another_webhook_takes_over_from_one_that_is_gone() {
    let place = Place::new();
    let ops = Webhook::open();
    place.write_url("ops.url", &ops);
    place.configure(
        "fallback_webhook = \"ops\"\n[webhooks.ops]\nurl_file = \"ops.url\"\nrate = \"1000/s\"\nburst = 1000",
    );
    let _daemon = place.daemon();
    place.webhook.will(&[Fault::NoService; 9]);
    five_bans(&place);
    all_five_arrived(&ops);
    assert_eq!(place.settle().all().posted, 5);
    assert_eq!(place.webhook.tries().len(), 1);
}

#[test]
fn another_webhook_takes_over_also_in_a_run_that_finds_the_first_one_gone() {
    let place = Place::new();
    let ops = Webhook::open();
    place.write_url("ops.url", &ops);
    place.configure(
        "fallback_webhook = \"ops\"\n[webhooks.ops]\nurl_file = \"ops.url\"\nrate = \"1000/s\"\nburst = 1000",
    );
    place.webhook.will(&[Fault::NoService; 9]);
    for number in 1..=3 {
        place.notify(&format!("ban --jail=sshd --ip=203.0.113.{number}"));
        ops.wait_for(number);
        until("the run to end", || match place.processes().len() {
            0 => Ok(()),
            more => Err(format!("{more} processes")),
        });
    }
    assert_eq!(place.ledger().all().posted, 3);
    assert_eq!(place.webhook.tries().len(), 1);
}

#[test]
fn a_message_at_which_the_webhook_fails_does_not_hold_up_the_others() {
    let place = Place::new();
    let _daemon = place.daemon();
    place.webhook.will(&[Fault::ServerError; 3]);
    five_bans(&place);
    let messages = place.webhook.wait_for(5);
    let of = |number: u32| {
        let subject = format!("203.0.113.{number}");
        messages.iter().position(|message| message.tells(&[&subject])).unwrap_or_else(|| panic!("{subject} is missing"))
    };
    // The second is tried as soon as the first has failed three times.
    assert_eq!((of(2), of(3), of(4)), (0, 1, 2), "{:#?}", shown(&messages));
    assert_eq!(place.settle().all().posted, 5);
    assert_eq!(place.webhook.arrived().len(), 5);
}

#[test]
fn drain_that_runs_out_of_time_says_that_something_is_pending() {
    let place = Place::new();
    place.webhook.gone();
    place.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
    place.banhook(["drain", "--timeout", "1s"]).exits(1);
    let ledger = place.ledger();
    assert_eq!(ledger.unrouted + ledger.all().pending, 1, "{ledger:?}");
    place.webhook.back();
    place.banhook(["drain", "--timeout", "20s"]).ok();
    place.webhook.wait_for(1);
}

#[test]
fn only_the_events_that_a_route_wants_go_there() {
    let place = Place::with_route("jails = [\"ssh*\"]\nevents = [\"ban\"]");
    for line in ["start --jail=sshd", "ban --jail=nginx --ip=203.0.113.1", "ban --jail=sshd --ip=203.0.113.2"] {
        place.notify(&format!("--no-spawn {line}"));
    }
    place.banhook(["drain", "--timeout", "20s"]).ok();
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.2"]));
    let ledger = place.ledger();
    assert_eq!((ledger.unmatched, ledger.routed, ledger.all().matched), (2, 1, 1), "{ledger:?}");
}
