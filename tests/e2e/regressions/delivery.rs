//! Delivery: answers of a webhook, and the ways to it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use crate::binary::banhook;
use crate::polling::until;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Fault, Webhook};

fn ban(env: &TestEnv, last: u32) {
    env.notify(&format!("ban --jail=sshd --ip=203.0.113.{last} --time=176380901{last}"));
}

/// Waits until everything is delivered, and fails unless so many events were posted, and none died.
#[track_caller]
fn all_posted(env: &TestEnv, events: u64) {
    let all = env.wait_until_idle().all();
    assert_eq!((all.posted, all.dead), (events, 0), "{all:?}");
}

/// Adds these lines to the configuration, which nobody else can read.
fn configure(env: &TestEnv, webhook: &str, route: &str, more: &str) {
    env.configure_both(&format!("{QUICK}\n{webhook}"), &format!("storm = false\nrestart = false\n{route}\n{more}"));
    fs::set_permissions(env.config(), fs::Permissions::from_mode(0o600)).unwrap();
}

/// A second webhook, `ops`, in the configuration.
fn with_ops(env: &TestEnv, route: &str, more: &str) -> Webhook {
    let ops = Webhook::open();
    env.write_url("ops.url", &ops);
    configure(env, "", route, &format!("[webhooks.ops]\nurl_file = \"ops.url\"\n{QUICK}\n{more}"));
    ops
}

// lightdash/lightdash#25797: Slack cannot fetch an image, and rejects the whole message.
#[test]
fn rejected_message_goes_out_plain() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected]);
    ban(&env, 1);
    ban(&env, 2);
    let messages = env.webhook.wait_for(2);
    assert!(messages[0].contains(&["203.0.113.1", "Slack rejected the formatted message: 400 invalid_blocks"]));
    assert!(messages[1].contains(&["203.0.113.2"]) && !messages[1].contains(&["rejected"]));
    all_posted(&env, 2);
}

// lightdash/lightdash#25797, with a crash of the daemon right after the answer.
#[test]
fn rejected_message_goes_out_plain_after_a_crash() {
    let env = TestEnv::new();
    let daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected, Fault::Slow(Duration::from_secs(2))]);
    ban(&env, 1);
    until("the request with the plain form", || match env.webhook.requests().len() {
        2.. => Ok(()),
        count => Err(format!("{count} requests")),
    });
    daemon.kill();
    let _next = env.daemon();
    all_posted(&env, 1);
    assert!(env.webhook.arrived().iter().all(|message| message.contains(&["rejected the formatted message"])));
}

// A webhook that refuses even plain messages: its channel was set up for something else.
#[test]
fn webhook_that_rejects_everything_is_suspended_and_the_fallback_says_for_whom() {
    let env = TestEnv::new();
    let ops = with_ops(&env, "fallback_webhook = \"ops\"", "");
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected; 99]);
    (1..=4).for_each(|last| ban(&env, last));
    let messages = ops.wait_for(4);
    for (last, message) in (1..=4).zip(&messages) {
        assert!(message.contains(&[&format!("203.0.113.{last}"), "for the webhook \"main\", which is suspended"]));
    }
    all_posted(&env, 4);
    assert!(env.log().contains("WEBHOOK SUSPENDED (it rejects plain messages as well: 400 invalid_blocks)"));
}

#[test]
fn health_webhook_announces_suspension_and_death_once() {
    let env = TestEnv::new();
    let ops = with_ops(&env, "", "[health]\nwebhook = \"ops\"");
    let daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected; 2]);
    ban(&env, 1);
    let messages = ops.wait_for(1);
    assert!(messages[0].contains(&["the webhook \"main\" are dead: 400 invalid_blocks", "banhook queue list --dead"]));
    env.webhook.inject(&[Fault::NoService; 3]);
    ban(&env, 2);
    let messages = ops.wait_for(2);
    assert!(messages[1].contains(&["The webhook \"main\" is suspended: 404 no_service"]));
    // Probes that fail are no news, also after a restart, and neither is in the ledger or in the queue.
    daemon.stop();
    let _next = env.daemon();
    until("a probe", || match env.webhook.requests().len() {
        4.. => Ok(()),
        count => Err(format!("{count} requests")),
    });
    assert_eq!(ops.arrived().len(), 2);
    let ledger = env.ledger();
    assert_eq!(ledger.routes.keys().collect::<Vec<_>>(), ["all"]);
    env.status(["status", "--check"]);
}

// bitrise-steplib/steps-slack-message#19 and an n8n workflow at the webhook's URL: 200, and nobody has posted anything.
#[test]
fn success_of_somebody_else_is_no_delivery() {
    for (body, error) in [
        ("{\"ok\":false,\"error\":\"invalid_auth\"}", "200 invalid_auth"),
        ("{\"message\":\"Workflow was started\"}", "this is no answer of Slack"),
    ] {
        let env = TestEnv::new();
        env.webhook.inject(&[Fault::Answer("200 OK", body)]);
        env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
        let drained = env.banhook(["drain", "--timeout", "20s"]).exits(1);
        assert!(drained.stderr.contains("is suspended (") && drained.stderr.contains(error), "{drained}");
        assert_eq!(env.ledger().all().pending, 1);
        env.banhook(["drain", "--timeout", "20s"]).ok();
        assert_eq!(env.wait_until_idle().all().posted, 1);
    }
}

#[test]
fn status_that_says_nothing_of_the_message_is_retried() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.webhook
        .inject(&[Fault::Answer("413 Content Too Large", "<html>nginx</html>"), Fault::Answer("423 Locked", "")]);
    ban(&env, 1);
    let messages = env.webhook.wait_for(1);
    assert!(!messages[0].contains(&["rejected"]));
    all_posted(&env, 1);
}

#[test]
fn kept_alive_connection_that_the_server_closes_costs_no_backoff() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    for last in 1..=3 {
        ban(&env, last);
        env.webhook.wait_for(last as usize);
        env.webhook.inject(&[Fault::ResetBeforeReading]);
    }
    ban(&env, 4);
    env.webhook.wait_for(4);
    assert!(!env.log().contains("not delivered"), "{}", env.log());
}

#[test]
fn send_test_reaches_each_webhook_and_leaves_no_trace() {
    let env = TestEnv::new();
    let ops = with_ops(&env, "", "[health]\nwebhook = \"ops\"");
    let sent = env.banhook(["send-test"]).ok();
    assert_eq!(sent.stdout.lines().count(), 2, "{sent}");
    for (webhook, name) in [(&env.webhook, "main"), (&ops, "ops")] {
        let message = &webhook.wait_for(1)[0];
        assert!(message.contains(&[&format!("Test of the webhook \"{name}\""), "Nobody was banned"]));
    }
    ops.inject(&[Fault::NoService]);
    let failed = env.banhook(["send-test", "--webhook", "ops"]).exits(1);
    failed.complains(&["webhook \"ops\": not delivered: 404 no_service"]);
    env.banhook(["send-test", "--webhook", "opz"]).exits(2).complains(&["no webhook has the name \"opz\""]);
    assert_eq!(env.webhook.arrived().len(), 1);
    assert_eq!(env.ledger().received, 0);
}

#[test]
fn basic_auth_is_sent_as_a_header_and_shown_nowhere() {
    const PASSWORD: &str = "XSWORDFISHX";
    let env = TestEnv::new();
    let login = env.write("login", format!("banhook:{PASSWORD}\n"));
    fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
    configure(&env, "basic_auth_file = \"login\"", "", "");
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::Answer("503 Service Unavailable", "no YmFuaG9vazpYU1dPUkRGSVNIWA== XSWORDFISHX")]);
    ban(&env, 1);
    env.webhook.wait_for(1);
    assert_eq!(env.webhook.authorizations(), ["Basic YmFuaG9vazpYU1dPUkRGSVNIWA=="; 2]);
    let shown = env.log() + &env.banhook(["config", "check"]).ok().to_string();
    assert!(!shown.contains(PASSWORD) && !shown.contains("YmFuaG9v"), "{shown}");
}

#[test]
fn socks_proxy_forwards_message() {
    let env = TestEnv::new();
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = proxy.local_addr().unwrap();
    let (forwarded, servers) = mpsc::channel();
    std::thread::spawn(move || proxy.incoming().flatten().for_each(|client| drop(socks5(client, &forwarded))));
    configure(&env, &format!("proxy = \"socks5h://{address}\""), "", "");
    let _daemon = env.daemon();
    ban(&env, 1);
    env.webhook.wait_for(1);
    let server = servers.try_recv().expect("it came through the proxy");
    assert!(env.webhook.url().contains(&server.to_string()), "{server}");
    all_posted(&env, 1);
}

/// Serves one connection as RFC 1928 has it: no login, the command CONNECT to an IPv4 address or a name. Passes on to which
/// server.
fn socks5(mut client: TcpStream, forwarded: &mpsc::Sender<SocketAddr>) -> std::io::Result<()> {
    let mut two = [0; 2];
    client.read_exact(&mut two)?;
    client.read_exact(&mut vec![0; two[1].into()])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address)?;
            Ipv4Addr::from(address).to_string()
        }
        _ => {
            let mut length = [0];
            client.read_exact(&mut length)?;
            let mut name = vec![0; length[0].into()];
            client.read_exact(&mut name)?;
            String::from_utf8(name).unwrap()
        }
    };
    client.read_exact(&mut two)?;
    let mut server = TcpStream::connect((host, u16::from_be_bytes(two)))?;
    forwarded.send(server.peer_addr()?).unwrap();
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    std::io::copy(&mut server, &mut client).map(drop)
}

#[test]
fn many_routes_start_with_few_descriptors() {
    const ROUTES: u32 = 90;
    let env = TestEnv::new();
    let mut config = format!("[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n");
    for number in 0..ROUTES {
        config += &format!("[[routes]]\nname = \"route-{number}\"\nwebhook = \"main\"\njails = [\"jail-{number}\"]\n");
    }
    env.write("config.toml", config);
    let mut command = env.command("/bin/sh");
    command.args(["-c", "ulimit -n 256; exec \"$0\" run"]).arg(banhook());
    let _daemon = env.daemon_of(&mut command);
    assert!(env.log().contains("file descriptors are needed, and only 256 are allowed"), "{}", env.log());
    env.notify("ban --jail=jail-7 --ip=203.0.113.7");
    until("the message", || if env.webhook.arrived().is_empty() { Err(env.log()) } else { Ok(()) });
}
