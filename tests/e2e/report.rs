//! `banhook report`: what was banned, from the store.

use crate::test_env::{QUICK, TestEnv};

#[test]
fn report_counts_the_bans_of_a_route() {
    let env = TestEnv::new();
    env.configure("jails = [\"sshd\"]");
    let _daemon = env.daemon();
    for number in 1..=3 {
        env.notify(&format!("ban --jail=sshd --ip=203.0.113.{number}"));
    }
    env.notify("ban --jail=nginx --ip=203.0.113.9");
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.webhook.wait_for(4);
    env.wait_until_idle();
    let report = env.banhook(["report", "--period", "1h"]).ok();
    for text in
        ["4 bans of 3 subjects; no comparison", "sshd 4", "203.0.113.1 2", "2 new, 1 banned before", "4 delivered"]
    {
        let shown = report.stdout.replace('`', "");
        assert!(shown.contains(text), "{text}: {report}");
    }
    assert!(!report.stdout.contains("nginx"), "{report}");
    let json = env.banhook(["report", "--format", "json"]).ok();
    assert!(serde_json::from_str::<serde_json::Value>(&json.stdout).unwrap()["blocks"].is_array(), "{json}");
    let unknown = env.banhook(["report", "--route", "al"]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("expected all"), "{unknown}");
    // It is no event, and no message.
    assert_eq!((env.ledger().all().posted, env.webhook.arrived().len()), (4, 4));
}

#[test]
fn report_without_events_says_so() {
    let env = TestEnv::new();
    let report = env.banhook(["report"]);
    assert!(report.stderr.contains("there are no events in"), "{report}");
}

#[test]
fn report_of_a_redacted_route_names_nobody_and_leaves_out_what_others_took() {
    let env = TestEnv::new();
    let routes = "jails = [\"nginx\"]\nstop = true\nstorm = false\n[[routes]]\nname = \"rest\"\nwebhook = \"main\"\n\
        fallback = \"redacted\"\nstorm = false";
    env.configure_both(QUICK, routes);
    let _daemon = env.daemon();
    env.notify("ban --jail=nginx --ip=203.0.113.9");
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.wait_until_idle();
    let report = env.banhook(["report", "--route", "rest"]).ok();
    assert!(report.stdout.contains("1 ban of 1 subject") && report.stdout.contains("sshd"), "{report}");
    assert!(!report.stdout.contains("203.0.113.") && !report.stdout.contains("nginx"), "{report}");
}
