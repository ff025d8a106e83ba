//! The daemon among its kind: taking over, giving way.

use std::fs;

use crate::binary::banhook;
use crate::place::Place;
use crate::unrouted::until;

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

#[test]
fn of_two_daemons_that_start_at_the_same_moment_one_works() {
    let place = Place::new();
    let mut both = [(); 2].map(|()| place.begin(place.command(banhook()).arg("run")));
    let ended = until("one of them to give up", || {
        both.iter_mut().position(|daemon| daemon.ended().is_some()).ok_or_else(|| place.said())
    });
    assert_eq!(both[ended].ended().unwrap().code(), Some(1), "{}", place.said());
    assert_eq!(place.said().matches("another banhook is at work").count(), 1, "{}", place.said());
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    place.webhook.wait_for(1);
    assert!(both[1 - ended].ended().is_none(), "{}", place.said());
    // The right to work dies with its holder.
    drop(both);
    let next = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.2");
    place.webhook.wait_for(2);
    assert_eq!(place.settle().all().posted, 2);
    next.stop();
}
