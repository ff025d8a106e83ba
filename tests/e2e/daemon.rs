//! Several daemons and short runs on one state directory: exactly one of them delivers.

use std::fs;

use crate::binary::banhook;
use crate::polling::until;
use crate::test_env::TestEnv;

#[test]
fn short_run_waiting_for_webhook_yields_to_daemon() {
    let env = TestEnv::new();
    env.webhook.stop();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    until("the short run to try its webhook", || {
        let log = fs::read_to_string(env.state().join("banhook.log")).unwrap_or_default();
        if log.contains("not delivered") { Ok(()) } else { Err(log) }
    });
    let daemon = env.daemon();
    env.webhook.start();
    assert_eq!(env.wait_until_idle().all().posted, 1);
    assert_eq!(env.webhook.arrived().len(), 1);
    daemon.stop();
}

#[test]
fn daemon_second_instance_reports_the_first() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.banhook(["run"]).exits(1).complains(&["another banhook is running", "stop it first"]);
}

#[test]
fn daemons_started_simultaneously_only_one_runs() {
    let env = TestEnv::new();
    let mut both = [(); 2].map(|()| env.spawn(env.command(banhook()).arg("run")));
    let exited = until("one of them to exit", || {
        both.iter_mut().position(|daemon| daemon.exit_status().is_some()).ok_or_else(|| env.log())
    });
    assert_eq!(both[exited].exit_status().unwrap().code(), Some(1), "{}", env.log());
    assert_eq!(env.log().matches("another banhook is running").count(), 1, "{}", env.log());
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.webhook.wait_for(1);
    assert!(both[1 - exited].exit_status().is_none(), "{}", env.log());
    // The lock is released when its holder exits.
    drop(both);
    let next = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    env.webhook.wait_for(2);
    assert_eq!(env.wait_until_idle().all().posted, 2);
    next.stop();
}
