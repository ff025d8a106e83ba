//! What lies between banhook and a webhook: proxies, certificates, time-outs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::https_webhook::{HttpsWebhook, authority};
use crate::polling::until;
use crate::proxy::Proxy;
use crate::test_env::{TestEnv, content_of};
use crate::webhook::Fault;

/// What may be seen nowhere.
const PASSWORD: &str = "XPROXYSECRETX";
/// `banhook:XPROXYSECRETX`, as a proxy is told it.
const KEY: &str = "Basic YmFuaG9vazpYUFJPWFlTRUNSRVRY";

/// The configuration with these lines for the webhook `main`, readable by its owner only.
fn configure(env: &TestEnv, lines: &str) {
    env.configure("");
    let text = fs::read_to_string(env.config()).unwrap();
    let path = env.write("config.new", text.replacen("[webhooks.main]", &format!("[webhooks.main]\n{lines}"), 1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(path, env.config()).unwrap();
}

/// The webhook `main` is there, as this host's owner only can read.
fn write_url(env: &TestEnv, url: &str) {
    let path = env.write("main.url", url);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn ban(env: &TestEnv) {
    env.notify("ban --jail=sshd --ip=203.0.113.7");
}

/// Waits until `status` gives this for the webhook's last answer, with one message pending.
#[track_caller]
fn until_pending_because(env: &TestEnv, words: &str) -> String {
    until("the error", || {
        let status = env.banhook(["status"]).ok().stdout;
        if status.contains(words) && env.ledger().all().pending == 1 { Ok(status.clone()) } else { Err(status) }
    })
}

/// Neither the password nor the header with it is in anything that was written or said.
#[track_caller]
fn password_shows_nowhere(env: &TestEnv) {
    let mut seen = content_of(&env.state());
    seen.extend(fs::read(env.path("run.log")).unwrap());
    for command in [["status", "--format=json"], ["config", "check"]] {
        seen.extend(format!("{}", env.banhook(command)).into_bytes());
    }
    let seen = String::from_utf8_lossy(&seen);
    let key = KEY.strip_prefix("Basic ").unwrap();
    assert!(!seen.contains(PASSWORD) && !seen.contains(key), "{seen}");
}

#[test]
fn proxy_configured_forwards_message() {
    let (env, proxy) = (TestEnv::new(), Proxy::open(Some(KEY)));
    configure(&env, &format!("proxy = \"http://banhook:{PASSWORD}@{}\"", proxy.address()));
    let _daemon = env.daemon();
    ban(&env);
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.7"]));
    assert_eq!(env.wait_until_idle().all().posted, 1);
    assert_eq!(proxy.requests(), [format!("POST {}", env.webhook.url())]);
    password_shows_nowhere(&env);
}

#[test]
fn proxy_rejecting_credentials_keeps_message_and_hides_password() {
    let (env, proxy) = (TestEnv::new(), Proxy::open(Some(KEY)));
    configure(&env, &format!("proxy = \"http://other:{PASSWORD}@{}\"", proxy.address()));
    let _daemon = env.daemon();
    ban(&env);
    until_pending_because(&env, "407");
    assert!(env.webhook.requests().is_empty());
    password_shows_nowhere(&env);
    configure(&env, &format!("proxy = \"http://banhook:{PASSWORD}@{}\"", proxy.address()));
    env.webhook.wait_for(1);
}

#[test]
fn proxy_down_error_hides_password() {
    let env = TestEnv::new();
    let address = Proxy::open(None).address();
    configure(&env, &format!("proxy = \"http://banhook:{PASSWORD}@{address}\""));
    let _daemon = env.daemon();
    ban(&env);
    until_pending_because(&env, "no connection through the proxy: Connection refused");
    password_shows_nowhere(&env);
    configure(&env, "proxy = false");
    env.webhook.wait_for(1);
}

#[test]
fn config_check_proxy_password_in_readable_file_is_rejected() {
    let env = TestEnv::new();
    configure(&env, &format!("proxy = \"http://banhook:{PASSWORD}@127.0.0.1:1\""));
    fs::set_permissions(env.config(), fs::Permissions::from_mode(0o644)).unwrap();
    let checked = env.banhook(["config", "check"]).exits(2);
    assert!(checked.stderr.contains("proxy holds a password"), "{checked}");
    assert!(!format!("{checked}").contains(PASSWORD), "{checked}");
}

#[test]
fn private_ca_in_ca_file_is_trusted() {
    let env = TestEnv::new();
    let webhook = HttpsWebhook::open(&env);
    write_url(&env, &webhook.url());
    configure(&env, "ca_file = \"ca.pem\"");
    let _daemon = env.daemon();
    ban(&env);
    assert!(webhook.wait_for_one().contains(&["203.0.113.7"]));
    assert_eq!(env.wait_until_idle().all().posted, 1);
}

#[test]
fn private_ca_without_ca_file_is_not_trusted() {
    let env = TestEnv::new();
    let webhook = HttpsWebhook::open(&env);
    write_url(&env, &webhook.url());
    let _daemon = env.daemon();
    ban(&env);
    until_pending_because(&env, "certificate");
    assert!(webhook.arrived().is_empty());
}

#[test]
fn ca_file_changed_is_reloaded() {
    let env = TestEnv::new();
    let webhook = HttpsWebhook::open(&env);
    write_url(&env, &webhook.url());
    authority(&env, "other");
    fs::rename(env.path("other.pem"), env.path("trusted.pem")).unwrap();
    configure(&env, "ca_file = \"trusted.pem\"");
    let _daemon = env.daemon();
    ban(&env);
    until_pending_because(&env, "certificate");
    fs::rename(env.path("ca.pem"), env.path("trusted.pem")).unwrap();
    webhook.wait_for_one();
}

#[test]
fn proxy_https_webhook_is_tunnelled() {
    let (env, proxy) = (TestEnv::new(), Proxy::open(Some(KEY)));
    let webhook = HttpsWebhook::open(&env);
    write_url(&env, &webhook.url());
    let lines = format!("ca_file = \"ca.pem\"\nproxy = \"http://banhook:{PASSWORD}@{}\"", proxy.address());
    configure(&env, &lines);
    let _daemon = env.daemon();
    ban(&env);
    webhook.wait_for_one();
    assert_eq!(proxy.requests(), [format!("CONNECT 127.0.0.1:{}", webhook.port)]);
    password_shows_nowhere(&env);
}

#[test]
fn request_exceeding_timeout_is_retried() {
    let env = TestEnv::new();
    let late = Duration::from_secs(20);
    env.webhook.inject(&[Fault::Slow(late)]);
    configure(&env, "timeout = \"300ms\"");
    let _daemon = env.daemon();
    ban(&env);
    env.webhook.wait_for(1);
    let tries = env.webhook.requests();
    assert!(tries.len() == 2 && tries[1] - tries[0] < late / 2, "{tries:?}");
    assert!(env.log().contains(": no answer within timeout "), "{}", env.log());
}
