//! Metrics: in `status`, in a file for node_exporter, and served to Prometheus. The alert rules and the dashboard that come
//! with banhook.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{require, root};
use crate::command_output::CommandOutput;
use crate::component;
use crate::polling::{until, within};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::Fault;

/// Adds a table `[metrics]` with these lines to the configuration.
fn configure(env: &TestEnv, lines: &str) {
    env.configure(&format!("\n[metrics]\n{lines}"));
}

fn ban(env: &TestEnv, last: u32) {
    env.notify(&format!("ban --jail=sshd --ip=203.0.113.{last} --failures=5"));
}

/// The metrics of `status`, whatever its exit code.
#[track_caller]
fn of_status(env: &TestEnv) -> String {
    env.status(["status", "--format", "prometheus"]).stdout
}

/// Fails unless the text has each of these lines.
#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    let missing: Vec<_> = lines.iter().filter(|line| !text.lines().any(|found| found == **line)).collect();
    assert!(missing.is_empty(), "without {missing:#?}: {text}");
}

/// Fails unless promtool finds nothing wrong with these metrics.
#[track_caller]
pub fn assert_promtool_accepts(env: &TestEnv, text: &str) {
    let file = env.write("metrics.txt", text);
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(fs::File::open(file).unwrap());
    let found = check.output().unwrap();
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success() && said.is_empty(), "{said}\n{text}");
}

/// Where the daemon says that it serves metrics.
#[track_caller]
fn address(env: &TestEnv) -> SocketAddr {
    until("the address", || {
        let log = env.log();
        address_in(&log).ok_or(log)
    })
}

/// Where a daemon says in its log that it serves metrics.
pub fn address_in(log: &str) -> Option<SocketAddr> {
    let line = log.lines().rev().find(|line| line.contains("metrics served"))?;
    let (_, address) = line.rsplit_once("http://")?;
    address.split('/').next()?.parse().ok()
}

/// Sends a request and returns the answer.
fn request(address: SocketAddr, line: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(20)))?;
    connection.write_all(format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The metrics that the daemon serves.
#[track_caller]
pub fn served(address: SocketAddr) -> String {
    let answer = request(address, "GET /metrics").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/plain; version=0.0.4"), "{answer}");
    body.to_owned()
}

/// One message sent, one dead.
fn one_sent_one_dead(env: &TestEnv) {
    ban(env, 1);
    env.webhook.wait_for(1);
    env.wait_until_idle();
    env.webhook.inject(&[Fault::Rejected; 2]);
    ban(env, 2);
    env.wait_until_idle();
}

#[test]
fn status_as_prometheus_shows_states_as_gauges() {
    let env = TestEnv::new();
    one_sent_one_dead(&env);
    let text = of_status(&env);
    assert_lines(
        &text,
        &[
            "# TYPE banhook_events gauge",
            "# TYPE banhook_events_received_total counter",
            "banhook_events_received_total 2",
            "banhook_events{state=\"routed\"} 2",
            "banhook_events{state=\"unrouted\"} 0",
            "banhook_route_events{route=\"all\",state=\"posted\"} 1",
            "banhook_route_events{route=\"all\",state=\"dead\"} 1",
            "banhook_messages{state=\"dead\",webhook=\"main\"} 1",
            "banhook_messages{state=\"pending\",webhook=\"main\"} 0",
            "banhook_oldest_pending_age_seconds{webhook=\"main\"} 0",
            "banhook_webhook_suspended{webhook=\"main\"} 0",
            "banhook_plugin_failing{route=\"all\"} 0",
            "banhook_configuration_valid 1",
            "banhook_ledger_balanced 1",
        ],
    );
    env.banhook(["queue", "retry", "--all"]).ok();
    env.webhook.wait_for(2);
    env.wait_until_idle();
    // A state falls when the message is retried.
    assert_lines(&of_status(&env), &["banhook_messages{state=\"dead\",webhook=\"main\"} 0"]);
}

#[test]
fn status_as_prometheus_shows_the_age_of_what_is_pending() {
    let env = TestEnv::new();
    env.webhook.stop();
    ban(&env, 1);
    until("an age", || {
        let text = of_status(&env);
        let line = text.lines().find(|line| line.starts_with("banhook_oldest_pending_age_seconds{")).ok_or("none")?;
        let age: f64 = line.rsplit_once(' ').unwrap().1.parse().unwrap();
        if age > 0.0 && age < 60.0 { Ok(()) } else { Err(text) }
    });
}

#[test]
fn status_as_prometheus_without_store_has_no_events() {
    let env = TestEnv::new();
    assert_lines(&of_status(&env), &["banhook_events_received_total 0", "banhook_running 0"]);
    assert!(!env.state().exists(), "looking makes no files");
    env.write("config.toml", "[");
    assert_lines(&of_status(&env), &["banhook_configuration_valid 0"]);
}

#[test]
#[ignore = "needs prometheus: cargo xtask test"]
fn metrics_of_status_daemon_and_textfile_pass_promtool() {
    require("promtool", "prometheus");
    let env = TestEnv::new();
    let log = env.write("fail2ban \"log\\.log", "");
    configure(
        &env,
        &format!(
            "listen = \"127.0.0.1:0\"\ntextfile = \"banhook.prom\"\n\n[[sources]]\nlog = '{}'\ntimezone = \"UTC\"",
            log.display()
        ),
    );
    let _daemon = env.daemon();
    one_sent_one_dead(&env);
    env.notify("ban --jail=we\"ird\\ja\u{2028}il --ip=203.0.113.7");
    env.webhook.wait_for(2);
    for text in [of_status(&env), served(address(&env)), fs::read_to_string(env.path("banhook.prom")).unwrap()] {
        assert!(text.contains("banhook_log_lag_bytes{log=\""), "{text}");
        assert_promtool_accepts(&env, &text);
        assert!(!text.contains("203.0.113."), "an address: {text}");
        assert!(!text.contains(env.webhook.secret()), "{text}");
    }
}

#[test]
fn daemon_serves_counters_of_events_attempts_and_plugins() {
    let env = TestEnv::new();
    configure(&env, "listen = \"127.0.0.1:0\"");
    let _daemon = env.daemon();
    let address = address(&env);
    assert_lines(
        &served(address),
        &[
            "banhook_plugin_failures_total{route=\"all\"} 0",
            "banhook_messages_finished_total{state=\"dead\",webhook=\"main\"} 0",
            "banhook_running 1",
        ],
    );
    // A connection that was open before is tried again at once, and counts as one attempt.
    env.webhook.inject(&[Fault::ResetBeforeReading, Fault::ServerError, Fault::RateLimited(0)]);
    one_sent_one_dead(&env);
    let text = until("the attempts", || {
        let text = served(address);
        if text.contains("state=\"dead\",webhook=\"main\"} 1") { Ok(text) } else { Err(text) }
    });
    let attempts = |result: &str| format!("banhook_delivery_attempts_total{{result=\"{result}\",webhook=\"main\"}} ");
    assert_lines(
        &text,
        &[
            &format!("{}1", attempts("accepted")),
            &format!("{}2", attempts("rejected")),
            &format!("{}1", attempts("rate_limited")),
            &format!("{}1", attempts("unavailable")),
            &format!("{}1", attempts("no_connection")),
            "banhook_jail_events_total{jail=\"sshd\",kind=\"ban\"} 2",
            "banhook_messages_finished_total{state=\"sent\",webhook=\"main\"} 1",
            "banhook_messages_finished_total{state=\"dead\",webhook=\"main\"} 1",
            "banhook_plugin_call_seconds_count{route=\"all\"} 2",
            "banhook_plugin_failures_total{route=\"all\"} 0",
        ],
    );
    let head = |line: &str| request(address, line).unwrap().lines().next().unwrap_or_default().to_owned();
    assert_eq!(head("GET /"), "HTTP/1.1 404 Not Found");
    assert_eq!(head("POST /metrics"), "HTTP/1.1 405 Method Not Allowed");
}

#[test]
fn failing_plugin_timeout_and_rejected_login_are_counted() {
    let env = TestEnv::new();
    env.write("faulty.wasm", component::faulty());
    env.configure_both(
        &format!("{QUICK}\ntimeout = \"200ms\""),
        "plugin = \"faulty.wasm\"\n\n[metrics]\nlisten = \"127.0.0.1:0\"",
    );
    let _daemon = env.daemon();
    let slow = Fault::Slow(Duration::from_secs(1));
    env.webhook.inject(&[slow, Fault::Answer("403 Forbidden", "invalid_token")]);
    env.notify("ban --jail=~trap --ip=203.0.113.7 --failures=5");
    let address = address(&env);
    until("the failures", || {
        let text = served(address);
        let lines = [
            "banhook_delivery_attempts_total{result=\"timeout\",webhook=\"main\"} 1",
            "banhook_delivery_attempts_total{result=\"auth\",webhook=\"main\"} 1",
            "banhook_webhook_suspended{webhook=\"main\"} 1",
            "banhook_plugin_failing{route=\"all\"} 1",
            "banhook_plugin_failures_total{route=\"all\"} 1",
            "banhook_plugin_call_seconds_count{route=\"all\"} 1",
        ];
        let missing: Vec<_> = lines.iter().filter(|line| !text.lines().any(|found| found == **line)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("without {missing:?}: {text}")) }
    });
}

#[test]
fn slow_and_hostile_clients_neither_delay_messages_nor_take_memory() {
    let env = TestEnv::new();
    configure(&env, "listen = \"127.0.0.1:0\"");
    let daemon = env.daemon();
    let address = address(&env);
    served(address);
    let (before, files_before) = (memory(daemon.pid()), entries(daemon.pid(), "fd"));
    let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut endless = TcpStream::connect(address).unwrap();
    endless.set_nonblocking(true).unwrap();
    let _ = endless.write(&[b'a'; 1 << 20]);
    let began = Instant::now();
    ban(&env, 1);
    env.webhook.wait_for(1);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let (threads, files) = (entries(daemon.pid(), "task"), entries(daemon.pid(), "fd"));
    assert!(threads < 40, "{threads} threads");
    // Four connections, and one to the webhook.
    assert!(files < files_before + 15, "{files_before} files before, {files} now");
    let grown = memory(daemon.pid()).saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more");
    drop((silent, endless));
    until("an answer", || request(address, "GET /metrics").map(drop).map_err(|error| error.to_string()));
}

/// How many entries a process has in this directory of `/proc`.
fn entries(pid: u32, name: &str) -> usize {
    fs::read_dir(format!("/proc/{pid}/{name}")).unwrap().count()
}

/// Resident memory in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn connection_without_a_request_is_closed_after_a_while() {
    let env = TestEnv::new();
    configure(&env, "listen = \"127.0.0.1:0\"");
    let _daemon = env.daemon();
    let address = address(&env);
    let mut silent: Vec<_> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    // There is no place for another one until these are closed.
    within(Duration::from_secs(25), "an answer", || {
        request(address, "GET /metrics").map(drop).map_err(|error| error.to_string())
    });
    for connection in &mut silent {
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(connection.read(&mut [0]).ok(), Some(0), "not closed");
    }
}

#[test]
fn textfile_is_replaced_whole_and_readable_for_all() {
    let env = TestEnv::new();
    fs::create_dir(env.path("collector")).unwrap();
    configure(&env, "textfile = \"collector/banhook.prom\"");
    // As strict as a unit may set it.
    let mut strict = env.command("sh");
    strict.args(["-c", "umask 0077; exec \"$0\" run"]).arg(crate::binary::banhook());
    let daemon = env.daemon_of(&mut strict);
    let path = env.path("collector/banhook.prom");
    let first = until("the file", || fs::metadata(&path).map_err(|error| error.to_string()));
    assert_eq!(first.permissions().mode() & 0o777, 0o644);
    ban(&env, 1);
    env.webhook.wait_for(1);
    until("a newer file", || {
        let text = fs::read_to_string(&path).unwrap();
        // Never half of it.
        assert!(text.contains("banhook_webhook_suspended{webhook=\"main\"}"), "{text}");
        let is_new = fs::metadata(&path).unwrap().ino() != first.ino();
        if is_new && text.contains("banhook_events_received_total 1\n") { Ok(()) } else { Err(text) }
    });
    daemon.stop();
    let left: Vec<_> = fs::read_dir(env.path("collector")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["banhook.prom"]);
}

#[test]
fn textfile_or_address_that_cannot_be_used_is_logged_and_delays_nothing() {
    let env = TestEnv::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    configure(&env, &format!("textfile = \"missing/banhook.prom\"\nlisten = \"{}\"", taken.local_addr().unwrap()));
    let _daemon = env.daemon();
    ban(&env, 1);
    env.webhook.wait_for(1);
    until("the problem", || {
        let log = env.log();
        if log.contains("cannot listen on") { Ok(()) } else { Err(log) }
    });
    drop(taken);
    let address = address(&env);
    served(address);
    fs::create_dir(env.path("missing")).unwrap();
    until("the file", || {
        served(address);
        fs::metadata(env.path("missing/banhook.prom")).map_err(|_| env.log())
    });
    let log = env.log();
    // That others get the metrics does not make it a new problem.
    assert_eq!(log.matches("metrics are not written to").count(), 1, "{log}");
    assert_eq!(log.matches("metrics are written again").count(), 1, "{log}");
}

#[test]
fn reload_moves_metrics_and_says_that_a_configuration_is_invalid() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    configure(&env, "listen = \"127.0.0.1:0\"");
    let first = address(&env);
    assert_lines(&served(first), &["banhook_configuration_valid 1"]);
    env.write("config.toml", "[");
    until("the configuration to be invalid", || {
        let text = served(first);
        if text.contains("banhook_configuration_valid 0\n") { Ok(()) } else { Err(text) }
    });
    env.configure("");
    until("nobody to listen", || match TcpStream::connect(first) {
        Ok(_) => Err(env.log()),
        Err(_) => Ok(()),
    });
}

#[test]
fn metrics_on_other_addresses_are_warned_of_and_other_files_rejected() {
    let env = TestEnv::new();
    configure(&env, "listen = \"0.0.0.0:9888\"");
    let checked = env.banhook(["config", "check"]).ok();
    assert!(format!("{checked}").contains("others in the network can read the metrics"), "{checked}");
    configure(&env, "textfile = \"banhook.txt\"\nlisten = \"localhost\"");
    let checked = env.banhook(["config", "check"]).exits(2);
    let text = format!("{checked}");
    assert!(text.contains("does not end in .prom") && text.contains("an address and a port such as"), "{checked}");
}

fn packaging() -> PathBuf {
    root().join("host/packaging/prometheus")
}

#[test]
#[ignore = "needs prometheus: cargo xtask test"]
fn alert_rules_pass_their_tests() {
    require("promtool", "prometheus");
    for arguments in [["check", "rules", "banhook.rules.yml"], ["test", "rules", "banhook.rules.test.yml"]] {
        CommandOutput::of(Command::new("promtool").args(arguments).current_dir(packaging())).ok();
    }
}

/// A Prometheus server that asks a daemon each second. Killed on drop.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    fn start(env: &TestEnv, daemon: SocketAddr) -> Self {
        let rules = packaging().join("banhook.rules.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n  \
             - job_name: banhook\n    static_configs: [{{targets: [\"{daemon}\"]}}]\n",
            rules.canonicalize().unwrap().display()
        );
        let config = env.write("prometheus.yml", config);
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let log = fs::File::create(env.path("prometheus.log")).unwrap();
        let child = env
            .command("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", env.path("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// The lines of the answer to a query; none if there is no data.
    fn query(&self, query: &str) -> Result<String, String> {
        let server = format!("http://{}", self.address);
        let output = Command::new("promtool").args(["query", "instant", &server, query]).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if output.status.success() { Ok(out) } else { Err(format!("{query}: {out}{err}")) }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Every value with this key in a JSON document.
fn texts_of<'a>(json: &'a Value, key: &str) -> Vec<&'a str> {
    match json {
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == key => vec![text],
                _ => texts_of(value, key),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(|value| texts_of(value, key)).collect(),
        _ => Vec::new(),
    }
}

#[test]
#[ignore = "needs prometheus: cargo xtask test"]
fn dashboard_queries_each_return_data_from_a_real_prometheus() {
    require("prometheus", "prometheus");
    let env = TestEnv::new();
    let log = env.write("fail2ban.log", "");
    configure(&env, &format!("listen = \"127.0.0.1:0\"\n\n[[sources]]\nlog = '{}'\ntimezone = \"UTC\"", log.display()));
    let _daemon = env.daemon();
    let prometheus = Prometheus::start(&env, address(&env));
    one_sent_one_dead(&env);
    let dashboard = fs::read_to_string(packaging().join("banhook.dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let queries = texts_of(&dashboard, "expr");
    assert!(queries.len() > 15, "{queries:?}");
    let log = || fs::read_to_string(env.path("prometheus.log")).unwrap_or_default();
    until("two scrapes", || match prometheus.query("count_over_time(banhook_build_info[1m]) >= 3") {
        Ok(found) if !found.trim().is_empty() => Ok(()),
        other => Err(format!("{other:?}\n{}", log())),
    });
    // Quantiles need calls between two scrapes.
    for last in 3..6 {
        ban(&env, last);
    }
    for query in queries {
        let asked = query.replace("$instance", ".+").replace("$__rate_interval", "1m").replace("$__range", "1m");
        assert!(!asked.contains('$'), "an unknown variable: {query}");
        until(query, || match prometheus.query(&asked) {
            Ok(found) if found.contains("=>") && !found.contains("NaN") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    // The rules see what a daemon says.
    until("the alert", || match prometheus.query("ALERTS{alertname=\"BanhookMessagesDead\"}") {
        Ok(found) if found.contains("webhook=\"main\"") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// Every metric that the rules, the dashboard and the documents name exists.
#[test]
fn rules_dashboard_and_documents_name_metrics_that_exist() {
    let env = TestEnv::new();
    let log = env.write("fail2ban.log", "");
    configure(&env, &format!("listen = \"127.0.0.1:0\"\n\n[[sources]]\nlog = '{}'\ntimezone = \"UTC\"", log.display()));
    let _daemon = env.daemon();
    one_sent_one_dead(&env);
    let text = served(address(&env));
    let documented = root().join("docs/src/metrics.md");
    let files = ["banhook.rules.yml", "banhook.dashboard.json"].map(|name| packaging().join(name));
    for file in files.iter().chain([&documented]) {
        for name in names(file) {
            let family = name.strip_suffix("_bucket").or(name.strip_suffix("_count")).unwrap_or(&name);
            // A log without events has no last one, and this is no member of a fleet (`fleet::monitoring`).
            let is_elsewhere = |part: &&str| family.starts_with(part);
            let is_known = text.contains(&format!("# TYPE {family} "))
                || ["banhook_log_last_event", "banhook_fleet_"].iter().any(is_elsewhere);
            assert!(is_known, "{}: {name}: {text}", file.display());
        }
    }
    let documented = names(&documented);
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(documented.iter().any(|known| known == name), "{name} is not documented");
    }
}

/// The words of a file that begin with `banhook_`.
pub fn names(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("banhook_"));
    words.map(str::to_owned).collect()
}
