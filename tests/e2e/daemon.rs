//! The daemon among its kind: taking over, giving way, reading its configuration again.

use std::fs;

use rustix::process::Signal;

use crate::place::Place;
use crate::waiting::until;

/// How often the daemon has said that it is ready.
fn until_ready(place: &Place, times: usize) {
    until("the daemon to be ready again", || {
        let said = fs::read_to_string(place.path("run.log")).unwrap();
        if said.matches("ready").count() >= times { Ok(()) } else { Err(said) }
    });
}

#[test]
fn sighup_reads_the_configuration_again() {
    let place = Place::new();
    let daemon = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.1", "banned in"]));

    place.configure("settings = { ban = \"changed words for {{ ip }}\" }");
    daemon.signal(Signal::HUP);
    until_ready(&place, 2);
    place.notify("ban --jail=sshd --ip=203.0.113.2");
    assert!(place.webhook.wait_for(2)[1].tells(&["changed words for 203.0.113.2"]));
    daemon.stop();
}

#[test]
fn a_broken_configuration_at_sighup_leaves_the_old_one_at_work() {
    let place = Place::with_route("settings = { ban = \"good words for {{ ip }}\" }");
    let daemon = place.daemon();
    place.write("config.toml", "[webhook.main]\n");
    daemon.signal(Signal::HUP);
    until_ready(&place, 2);
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(place.webhook.wait_for(1)[0].tells(&["good words for 203.0.113.1"]));
    let said = fs::read_to_string(place.path("run.log")).unwrap();
    assert!(said.contains("config.toml:1:") && said.contains("webhook"), "{said}");
}

#[test]
fn a_short_run_that_waits_for_its_webhook_makes_way_for_a_daemon() {
    let place = Place::new();
    place.webhook.gone();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    until("the short run to be at work", || {
        let said = fs::read_to_string(place.state().join("banhook.log")).unwrap_or_default();
        if said.contains("not delivered") { Ok(()) } else { Err(said) }
    });
    let daemon = place.daemon();
    place.webhook.back();
    assert_eq!(place.settle().all().posted, 1);
    assert_eq!(place.webhook.arrived().len(), 1);
    daemon.stop();
}

#[test]
fn a_second_daemon_says_that_there_is_one() {
    let place = Place::new();
    let _daemon = place.daemon();
    place.banhook(["run"]).exits(1).complains(&["another banhook is at work", "stop it first"]);
}
