//! What lies between banhook and a webhook: proxies, certificates, time-outs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::https::{HttpsWebhook, authority};
use crate::place::{Place, content_of};
use crate::proxy::Proxy;
use crate::unrouted::until;
use crate::webhook::Fault;

/// What may be seen nowhere.
const PASSWORD: &str = "XPROXYSECRETX";
/// `banhook:XPROXYSECRETX`, as a proxy is told it.
const KEY: &str = "Basic YmFuaG9vazpYUFJPWFlTRUNSRVRY";

/// The configuration with these lines for the webhook `main`, readable by its owner only.
fn configure(place: &Place, lines: &str) {
    place.configure("");
    let text = fs::read_to_string(place.config()).unwrap();
    let path = place.write("config.new", text.replacen("[webhooks.main]", &format!("[webhooks.main]\n{lines}"), 1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(path, place.config()).unwrap();
}

/// The webhook `main` is there, as this host's owner only can read.
fn write_url(place: &Place, url: &str) {
    let path = place.write("main.url", url);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn ban(place: &Place) {
    place.notify("ban --jail=sshd --ip=203.0.113.7");
}

/// Waits until `status` gives this for the webhook's last answer, with one message pending.
#[track_caller]
fn until_pending_because(place: &Place, words: &str) -> String {
    until("the error", || {
        let status = place.banhook(["status"]).ok().stdout;
        if status.contains(words) && place.ledger().all().pending == 1 { Ok(status.clone()) } else { Err(status) }
    })
}

/// Neither the password nor the header with it is in anything that was written or said.
#[track_caller]
fn password_shows_nowhere(place: &Place) {
    let mut seen = content_of(&place.state());
    seen.extend(fs::read(place.path("run.log")).unwrap());
    for command in [["status", "--format=json"], ["config", "check"]] {
        seen.extend(format!("{}", place.banhook(command)).into_bytes());
    }
    let seen = String::from_utf8_lossy(&seen);
    let key = KEY.strip_prefix("Basic ").unwrap();
    assert!(!seen.contains(PASSWORD) && !seen.contains(key), "{seen}");
}

#[test]
fn a_message_takes_the_way_of_its_proxy() {
    let (place, proxy) = (Place::new(), Proxy::open(Some(KEY)));
    configure(&place, &format!("proxy = \"http://banhook:{PASSWORD}@{}\"", proxy.address()));
    let _daemon = place.daemon();
    ban(&place);
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.7"]));
    assert_eq!(place.settle().all().posted, 1);
    assert_eq!(proxy.asked(), [format!("POST {}", place.webhook.url())]);
    password_shows_nowhere(&place);
}

#[test]
fn a_proxy_that_lets_nobody_in_costs_no_message_and_no_password() {
    let (place, proxy) = (Place::new(), Proxy::open(Some(KEY)));
    configure(&place, &format!("proxy = \"http://other:{PASSWORD}@{}\"", proxy.address()));
    let _daemon = place.daemon();
    ban(&place);
    until_pending_because(&place, "407");
    assert!(place.webhook.tries().is_empty());
    password_shows_nowhere(&place);
    configure(&place, &format!("proxy = \"http://banhook:{PASSWORD}@{}\"", proxy.address()));
    place.webhook.wait_for(1);
}

#[test]
fn a_proxy_that_is_down_is_named_without_its_password() {
    let place = Place::new();
    let address = Proxy::open(None).address();
    configure(&place, &format!("proxy = \"http://banhook:{PASSWORD}@{address}\""));
    let _daemon = place.daemon();
    ban(&place);
    until_pending_because(&place, "no connection through the proxy: Connection refused");
    password_shows_nowhere(&place);
    configure(&place, "proxy = false");
    place.webhook.wait_for(1);
}

#[test]
fn a_proxys_password_is_for_no_file_that_others_read() {
    let place = Place::new();
    configure(&place, &format!("proxy = \"http://banhook:{PASSWORD}@127.0.0.1:1\""));
    fs::set_permissions(place.config(), fs::Permissions::from_mode(0o644)).unwrap();
    let checked = place.banhook(["config", "check"]).exits(2);
    assert!(checked.stderr.contains("proxy holds a password"), "{checked}");
    assert!(!format!("{checked}").contains(PASSWORD), "{checked}");
}

#[test]
fn a_private_authority_is_trusted_where_the_configuration_says_so() {
    let place = Place::new();
    let webhook = HttpsWebhook::open(&place);
    write_url(&place, &webhook.url());
    configure(&place, "ca_file = \"ca.pem\"");
    let _daemon = place.daemon();
    ban(&place);
    assert!(webhook.wait_for_one().tells(&["203.0.113.7"]));
    assert_eq!(place.settle().all().posted, 1);
}

#[test]
fn a_private_authority_is_trusted_nowhere_else() {
    let place = Place::new();
    let webhook = HttpsWebhook::open(&place);
    write_url(&place, &webhook.url());
    let _daemon = place.daemon();
    ban(&place);
    until_pending_because(&place, "certificate");
    assert!(webhook.arrived().is_empty());
}

#[test]
fn a_changed_authority_is_taken_up() {
    let place = Place::new();
    let webhook = HttpsWebhook::open(&place);
    write_url(&place, &webhook.url());
    authority(&place, "other");
    fs::rename(place.path("other.pem"), place.path("trusted.pem")).unwrap();
    configure(&place, "ca_file = \"trusted.pem\"");
    let _daemon = place.daemon();
    ban(&place);
    until_pending_because(&place, "certificate");
    fs::rename(place.path("ca.pem"), place.path("trusted.pem")).unwrap();
    webhook.wait_for_one();
}

#[test]
fn a_proxy_hands_on_tls_unopened() {
    let (place, proxy) = (Place::new(), Proxy::open(Some(KEY)));
    let webhook = HttpsWebhook::open(&place);
    write_url(&place, &webhook.url());
    let lines = format!("ca_file = \"ca.pem\"\nproxy = \"http://banhook:{PASSWORD}@{}\"", proxy.address());
    configure(&place, &lines);
    let _daemon = place.daemon();
    ban(&place);
    webhook.wait_for_one();
    assert_eq!(proxy.asked(), [format!("CONNECT 127.0.0.1:{}", webhook.port)]);
    password_shows_nowhere(&place);
}

#[test]
fn a_request_is_given_up_when_its_time_is_over() {
    let place = Place::new();
    let late = Duration::from_secs(20);
    place.webhook.will(&[Fault::Slow(late)]);
    configure(&place, "timeout = \"300ms\"");
    let _daemon = place.daemon();
    ban(&place);
    place.webhook.wait_for(1);
    let tries = place.webhook.tries();
    assert!(tries.len() == 2 && tries[1] - tries[0] < late / 2, "{tries:?}");
    assert!(place.said().contains(": no answer within timeout "), "{}", place.said());
}
