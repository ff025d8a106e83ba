//! `quiet`: a route that hears of no ban says so, with what a real fail2ban answers. The clock is set, and nothing waits a day.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use crate::clock_changes::FakeClock;
use crate::command_output::CommandOutput;
use crate::fail2ban::Fail2ban;
use crate::polling::within;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::shown;

/// A daemon says nothing for half a minute after its start, and looks every 20 s.
const LOOK: Duration = Duration::from_secs(90);

const DAY: Duration = Duration::from_secs(86_400);

/// Waits until this many messages have arrived; returns the text of the last one.
fn nth_message(env: &TestEnv, count: usize) -> String {
    within(LOOK, "a message", || match env.webhook.arrived().len() {
        found if found < count => Err(format!("{found} messages {}", env.log())),
        _ => Ok(()),
    });
    assert_eq!(env.webhook.arrived().len(), count);
    env.webhook.arrived()[count - 1].shown()
}

#[test]
#[ignore = "needs fail2ban and faketime: cargo xtask test"]
fn silence_and_its_end_are_said_once_with_what_fail2ban_answers() {
    let env = TestEnv::new();
    env.configure_both(QUICK, "quiet = \"1d\"\nevents = [\"ban\"]\nstorm = false");
    let clock = FakeClock::new(&env);
    let daemon = env.daemon_of(clock.command(&env).arg("run"));
    let server = Fail2ban::start(&env);
    let client = server.client_line().replace("fail2ban-client", "/usr/bin/fail2ban-client");
    fs::create_dir_all(env.path("bin")).unwrap();
    let script = env.write("bin/fail2ban-client", format!("#!/bin/sh\nexec {client} \"$@\"\n"));
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let heartbeat = || {
        let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
        CommandOutput::of(clock.command(&env).arg("heartbeat").env("PATH", path)).ok()
    };
    server.client("set sshd banip 203.0.113.1").ok();
    assert!(nth_message(&env, 1).contains("203.0.113.1"));

    // The daemon has asked the timer to ask.
    assert!(env.state().join("heartbeat").exists());
    clock.set("+1d");
    File::options().append(true).open(server.log_path()).unwrap().set_modified(SystemTime::now() + DAY).unwrap();
    assert_eq!(heartbeat().stdout, "fail2ban answers: 2 jails, 1 banned\n");
    let text = nth_message(&env, 2);
    assert!(text.contains("no ban for 24 h on the route all; fail2ban answers: 2 jails, 1 banned"), "{text}");
    assert!(!text.contains("has not grown"), "{text}");

    let ban = clock.command(&env).args(["notify", "--no-spawn", "ban", "--jail=sshd", "--ip=203.0.113.2"]).status();
    assert!(ban.unwrap().success());
    within(LOOK, "the ban and the end of the silence", || match env.webhook.arrived().len() {
        4.. => Ok(()),
        found => Err(format!("{found} messages {}", env.log())),
    });
    let texts = shown(&env.webhook.arrived());
    assert!(texts.iter().any(|text| text.contains("bans again on the route all, after 24 h without one")), "{texts:?}");

    // A daemon that was restarted knows what it has said.
    daemon.stop();
    server.stop();
    let daemon = env.daemon_of(clock.command(&env).arg("run"));
    clock.set("+3d");
    assert_eq!(heartbeat().stdout, "fail2ban does not answer: it does not run\n");
    let text = nth_message(&env, 5);
    assert!(
        text.contains("no ban for 2 days on the route all, and fail2ban does not answer: it does not run"),
        "{text}"
    );
    assert_eq!(env.ledger().all().posted, 2);
    daemon.stop();
    assert!(!env.log().contains("panicked"), "{}", env.log());
}
