//! The connection to a webhook: proxies, certificates, time-outs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::https_webhook::{HttpsWebhook, authority};
use crate::polling::until;
use crate::proxy::Proxy;
use crate::test_env::{TestEnv, content_of};
use crate::webhook::Fault;

/// The password, which must appear nowhere.
const PASSWORD: &str = "XSWORDFISHX";
/// `banhook:XSWORDFISHX` as the value of `Proxy-Authorization`.
const KEY: &str = "Basic YmFuaG9vazpYU1dPUkRGSVNIWA==";

/// Writes a configuration with these lines for the webhook `main` that only its owner can read.
fn configure(env: &TestEnv, lines: &str) {
    env.configure("");
    let text = fs::read_to_string(env.config()).unwrap();
    let path = env.write("config.new", text.replacen("[webhooks.main]", &format!("[webhooks.main]\n{lines}"), 1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(path, env.config()).unwrap();
}

/// Writes the URL of the webhook `main` into a file that only its owner can read.
fn write_url(env: &TestEnv, url: &str) {
    let path = env.write("main.url", url);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn ban(env: &TestEnv) {
    env.notify("ban --jail=sshd --ip=203.0.113.7");
}

/// Waits until `status` shows this error of the webhook, with one message pending.
#[track_caller]
fn wait_for_error(env: &TestEnv, words: &str) -> String {
    until("the error", || {
        let status = env.status(["status"]).stdout;
        if status.contains(words) && env.ledger().all().pending == 1 { Ok(status.clone()) } else { Err(status) }
    })
}

/// Fails if the password, or the header with it, is in the state directory, the log or the output of a command.
#[track_caller]
fn assert_password_hidden(env: &TestEnv) {
    let mut written = content_of(&env.state());
    written.extend(fs::read(env.path("run.log")).unwrap());
    for command in [["status", "--format=json"], ["config", "check"]] {
        written.extend(format!("{}", env.banhook(command)).into_bytes());
    }
    let written = String::from_utf8_lossy(&written);
    let key = KEY.strip_prefix("Basic ").unwrap();
    assert!(!written.contains(PASSWORD) && !written.contains(key), "{written}");
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
    assert_password_hidden(&env);
}

#[test]
fn proxy_rejecting_credentials_keeps_message_and_hides_password() {
    let (env, proxy) = (TestEnv::new(), Proxy::open(Some(KEY)));
    configure(&env, &format!("proxy = \"http://other:{PASSWORD}@{}\"", proxy.address()));
    let _daemon = env.daemon();
    ban(&env);
    wait_for_error(&env, "407");
    assert!(env.webhook.requests().is_empty());
    assert_password_hidden(&env);
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
    wait_for_error(&env, "no connection through the proxy: Connection refused");
    assert_password_hidden(&env);
    configure(&env, "proxy = false");
    env.webhook.wait_for(1);
}

#[test]
fn config_check_proxy_password_in_readable_file_is_rejected() {
    let env = TestEnv::new();
    configure(&env, &format!("proxy = \"http://banhook:{PASSWORD}@127.0.0.1:1\""));
    fs::set_permissions(env.config(), fs::Permissions::from_mode(0o644)).unwrap();
    let checked = env.banhook(["config", "check"]).exits(2);
    assert!(checked.stderr.contains("proxy contains a password"), "{checked}");
    assert!(!format!("{checked}").contains(PASSWORD), "{checked}");
}

#[test]
#[ignore = "needs openssl and python3: cargo xtask test"]
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
#[ignore = "needs openssl and python3: cargo xtask test"]
fn private_ca_without_ca_file_is_not_trusted() {
    let env = TestEnv::new();
    let webhook = HttpsWebhook::open(&env);
    write_url(&env, &webhook.url());
    let _daemon = env.daemon();
    ban(&env);
    wait_for_error(&env, "certificate");
    assert!(webhook.arrived().is_empty());
}

#[test]
#[ignore = "needs openssl and python3: cargo xtask test"]
fn ca_file_changed_is_reloaded() {
    let env = TestEnv::new();
    let webhook = HttpsWebhook::open(&env);
    write_url(&env, &webhook.url());
    authority(&env, "other");
    fs::rename(env.path("other.pem"), env.path("trusted.pem")).unwrap();
    configure(&env, "ca_file = \"trusted.pem\"");
    let _daemon = env.daemon();
    ban(&env);
    wait_for_error(&env, "certificate");
    fs::rename(env.path("ca.pem"), env.path("trusted.pem")).unwrap();
    webhook.wait_for_one();
}

#[test]
#[ignore = "needs openssl and python3: cargo xtask test"]
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
    assert_password_hidden(&env);
}

#[test]
fn request_exceeding_timeout_is_retried() {
    let env = TestEnv::new();
    let delay = Duration::from_secs(20);
    env.webhook.inject(&[Fault::Slow(delay)]);
    configure(&env, "timeout = \"300ms\"");
    let _daemon = env.daemon();
    ban(&env);
    env.webhook.wait_for(1);
    let requests = env.webhook.requests();
    assert!(requests.len() == 2 && requests[1] - requests[0] < delay / 2, "{requests:?}");
    assert!(env.log().contains(": no answer within timeout "), "{}", env.log());
}
