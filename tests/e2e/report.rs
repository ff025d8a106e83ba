//! `[[reports]]` and `banhook report`: what was banned, from the store.

use serde_json::json;

use crate::chromium::Chromium;
use crate::clock_changes::FakeClock;
use crate::message::Message;
use crate::reload::mmdb;
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
        ["4 bans of 3 subjects; no comparison", "sshd 4", "203.0.113.1   2", "2 new, 1 banned before", "4 delivered"]
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

/// A daily report of the days before, with a country and without a network.
const DAILY: &str = "storm = false\n[[reports]]\nat = \"09:00\"\nperiod = \"3d\"\ngeo = [\"country.mmdb\"]";

/// Runs a daemon with two bans, and another one when the report is due. Returns the report and what comes after it.
fn report_of(env: &TestEnv) -> Vec<Message> {
    let country = json!({ "country": { "names": { "en": "Germany" } } });
    env.write("country.mmdb", mmdb(4, 24, &[("203.0.113.0/24", country)]));
    let clock = FakeClock::new(env);
    let daemon = env.daemon_of(clock.command(env).arg("run"));
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.notify("ban --jail=nginx --ip=198.51.100.2");
    env.webhook.wait_for(2);
    env.wait_until_idle();
    daemon.stop();
    // Twice: a report is sent once.
    for days in ["+1d", "+25h"] {
        clock.set(days);
        let daemon = env.daemon_of(clock.command(env).arg("run"));
        env.webhook.wait_for(3);
        daemon.stop();
    }
    let all = env.ledger().all();
    assert_eq!((all.matched, all.posted, all.dead), (2, 2, 0), "a report is no event");
    env.webhook.arrived().split_off(2)
}

#[test]
#[ignore = "needs faketime: cargo xtask test"]
fn report_that_is_due_is_sent_once_with_charts() {
    for env in [TestEnv::new(), TestEnv::with_app("")] {
        let is_app = env.webhook.is_app();
        if is_app {
            env.configure_app(QUICK, DAILY)
        } else {
            env.configure_both(QUICK, DAILY)
        }
        let [report] = <[Message; 1]>::try_from(report_of(&env)).unwrap();
        let body = String::from_utf8_lossy(report.body()).into_owned();
        assert_eq!(body.matches("\"data_visualization\"").count(), 2, "{body}");
        assert!(body.contains("\"data_table\"") && !body.contains("network"), "{body}");
        assert!(report.contains(&[
            "2 bans of 2 subjects",
            "Bans per day",
            "By country",
            "Germany",
            "unknown",
            "By jail"
        ]));
        let said =
            ["2 bans of 2 subjects", "By country: Germany 1, unknown 1", "By jail: nginx 1, sshd 1", "203.0.113.1 1"];
        assert!(said.iter().all(|part| report.text().contains(part)), "{}", report.text());
        env.webhook.check();
    }
}

#[test]
#[ignore = "needs faketime: cargo xtask test"]
fn report_to_a_workspace_without_charts_says_the_same_as_text() {
    for env in [TestEnv::new(), TestEnv::with_app("")] {
        let is_app = env.webhook.is_app();
        if is_app {
            env.configure_app(QUICK, DAILY)
        } else {
            env.configure_both(QUICK, DAILY)
        }
        env.webhook.refuse_charts();
        let [report] = <[Message; 1]>::try_from(report_of(&env)).unwrap();
        let body = String::from_utf8_lossy(report.body()).into_owned();
        assert!(!body.contains("\"data_"), "{body}");
        let bars = [
            "2 bans of 2 subjects",
            "Bans per day",
            "2 ████",
            "By country",
            "Germany 1 ████",
            "By jail",
            "sshd  1 ████",
        ];
        assert!(
            report.contains(&bars) && report.contains(&["Most banned", "203.0.113.1", "invalid_blocks"]),
            "{}",
            report.shown()
        );
        env.webhook.check();
    }
}

/// The page draws the charts, asks for nothing, and shows hostile names as text.
#[test]
#[ignore = "needs Chromium: cargo xtask test"]
fn report_as_a_page_has_charts_and_nothing_from_elsewhere() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    let hostile = "<img/src=x/onerror=document.title='harmed'>";
    env.notify(&format!("ban --jail={hostile} --ip={hostile}"));
    env.webhook.wait_for(2);
    let page = env.path("report.html");
    let written = env.banhook(["report", "--html", page.to_str().unwrap()]).ok();
    assert!(written.stdout.is_empty() && written.stderr.contains("geo = "), "{written}");
    let html = std::fs::read_to_string(&page).unwrap();
    let printed = env.banhook(["report", "--html"]).ok().stdout;
    assert!(printed.starts_with("<!DOCTYPE html>") && printed.contains("<svg") && html.contains("<svg"), "{printed}");
    let mut chromium = Chromium::start();
    for scheme in ["light", "dark"] {
        chromium.set_color_scheme(scheme);
        chromium.open(&format!("file://{}", page.display()));
        chromium.wait_for_text("main", "2 bans of 2 subjects");
        chromium.wait_for_text(".pie", "sshd");
        assert!(chromium.text("table").contains("<img/src=x"), "{}", chromium.text("table"));
        let drawn =
            "[...document.querySelectorAll('.chart svg')].every(svg => svg.getBoundingClientRect().height > 50)";
        assert_eq!(chromium.evaluate(drawn), true);
        assert_eq!(chromium.evaluate("document.querySelectorAll('img, script').length"), 0);
        assert_ne!(chromium.evaluate("document.title"), "harmed");
    }
    let requested = chromium.requested();
    assert!(requested.iter().all(|url| url.starts_with("file://")), "{requested:?}");
}
