//! `support`: a text for a bug report, without secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::polling::until;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::Fault;

const PASSWORD: &str = "XSWORDFISHX";

#[test]
fn support_has_what_a_report_needs_and_nothing_secret() {
    let env = TestEnv::new();
    env.configure_both(
        &format!("{QUICK}\nbasic_auth_file = \"login\"\nproxy = \"http://user:{PASSWORD}proxy@127.0.0.1:9\""),
        "[routes.settings]\nban = \"{{ ip }} the TEMPLATETEXT\"\n\n[labels]\nowner = \"LABELTEXT\"",
    );
    env.write("login", format!("banuser:{PASSWORD}"));
    for file in ["login", "config.toml"] {
        fs::set_permissions(env.path(file), fs::Permissions::from_mode(0o600)).unwrap();
    }
    env.webhook.inject(&[Fault::Echo("400 Bad Request"); 2]);
    env.notify("ban --jail=sshd --ip=203.0.113.7 --failures=5");
    until("an attempt", || {
        let log = fs::read_to_string(env.state().join("banhook.log")).unwrap_or_default();
        if log.contains("not delivered") { Ok(()) } else { Err(log) }
    });
    // What should never be there.
    let log = env.state().join("banhook.log");
    let url = env.webhook.url();
    let escaped = url.replace('/', "%2F");
    let planted = format!(
        "PLANTED {url} {escaped}\nPLANTED login banuser:{PASSWORD} {PASSWORD}proxy from 203.0.113.99 2001:db8::7\n"
    );
    fs::write(&log, fs::read_to_string(&log).unwrap() + &planted).unwrap();

    let support = env.banhook(["support"]).ok();
    let text = &support.stdout;
    for part in [
        "== banhook\nversion ",
        "== configuration\n",
        "name = \"all\"",
        "== files of the configuration\n",
        "/config.toml\n100600 ",
        "== state directory\n",
        "\"received\": 1",
        "\"state\":\"ready\"",
        "banhook_events_received_total 1",
        "== end of banhook.log\n",
        "PLANTED",
    ] {
        assert!(text.contains(part), "without {part}: {support}");
    }
    for secret in [env.webhook.secret(), PASSWORD, "TEMPLATETEXT", "LABELTEXT", "203.0.113.", "2001:db8"] {
        assert!(!text.contains(secret), "{secret}: {support}");
    }
    assert!(support.stderr.is_empty(), "{support}");
}

#[test]
fn support_works_without_store_and_with_a_broken_configuration() {
    let env = TestEnv::new();
    assert!(env.banhook(["support"]).ok().stdout.contains("\"received\": 0"));
    assert!(!env.state().exists(), "looking makes no files");
    env.write("config.toml", "[webhooks.main]\nurl = \"https://hooks.slack.com/services/T0/B0/SECRETPART\"\n[");
    let text = env.banhook(["support"]).ok().stdout;
    assert!(text.contains("config.toml:3:") && !text.contains("SECRETPART"), "{text}");
}
