//! The Debian package, on a host of its own: from the first alert to the last file that is left.

mod host;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use host::{Host, apt_install};

use crate::binary::require;
use crate::command_output::CommandOutput;
use crate::polling::{until, within};
use crate::test_env::TestEnv;

const ACTION_FILE: &str = "/etc/fail2ban/action.d/banhook.conf";

/// The five lines of configuration that a host needs besides the webhook's URL.
const CONFIG: &str = "[webhooks.main]\nurl_file = \"main.url\"\n";
const JAIL_LOCAL: &str = "[DEFAULT]\naction = %(action_)s\n         banhook\n";

/// What an administrator adds to it: each event is a message, without delay.
const EDIT: &str = "rate = \"1000/s\"\nburst = 1000\n\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\nstorm = false\nrestart = false\n";

/// Starts the daemon, and leaves its number in a file.
const START_DAEMON: &str = "sh -c 'echo $$ >/run/banhook.pid; exec /usr/bin/banhook run >/run/banhook.log 2>&1 </dev/null' & \
     until grep -q ready /run/banhook.log; do sleep 0.1; done 2>/dev/null";

/// Runs a test on a host. The thread that does moves into the host's network.
fn on_host(test: impl Fn(&Host) + Sync) {
    let _env = TestEnv::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| test(&Host::open()));
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Installs and configures the package, and starts fail2ban.
fn set_up(host: &Host) {
    host.install("banhook.deb");
    host.write("/etc/banhook/config.toml", CONFIG);
    host.sh("install -o banhook -m 600 /dev/null /etc/banhook/main.url").ok();
    host.write("/etc/banhook/main.url", &host.webhook.url());
    host.write("/etc/fail2ban/jail.local", JAIL_LOCAL);
    host.start_fail2ban();
}

/// Fails if fail2ban logged an error.
#[track_caller]
fn expect_no_errors(host: &Host) {
    let log = host.read("/var/log/fail2ban.log");
    for word in ["ERROR", "CRITICAL", "Traceback"] {
        assert!(!log.contains(word), "{log}");
    }
}

#[test]
#[ignore = "needs lintian and a package: cargo xtask test"]
fn package_has_no_lintian_errors() {
    require("lintian", "lintian");
    let package = PathBuf::from(std::env::var_os("BANHOOK_PACKAGES").expect("BANHOOK_PACKAGES: cargo xtask test"));
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error", "--allow-root"]).arg(package.join("banhook.deb"));
    let output = CommandOutput::within(&mut lintian, Duration::from_secs(300)).ok();
    assert!(!output.stdout.contains("E: "), "{output}");
}

#[test]
#[ignore = "needs root and debootstrap: cargo xtask test"]
fn package_with_five_lines_of_configuration_sends_alerts() {
    on_host(|host| {
        set_up(host);
        host.ban("203.0.113.7");
        host.expect_blocked("203.0.113.7");
        host.wait_for_messages(&["`203.0.113.7` banned in `sshd`".to_owned()]);
        expect_no_errors(host);
        host.sh("banhook config check").ok();
        // All is well; that the package lets banhook read nothing of fail2ban's is said.
        let findings = host.sh("banhook doctor --send").ok();
        let unread = "bans come without log lines: user banhook cannot read";
        assert!(findings.lines_of("ok", unread, "run: setfacl").is_empty(), "{findings}");
        let owners = host.sh("stat -c '%U %a' /var/lib/banhook /etc/banhook").ok().stdout;
        assert_eq!(owners, "banhook 700\nroot 755\n");
        assert!(!host.sh("find /var/lib/banhook ! -user banhook").ok().stdout.contains('/'));

        // Each command that the help names has a man page, and each shell its completions.
        let help = host.sh("banhook --help").ok().stdout;
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names: Vec<_> = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
        let names: Vec<_> = names.into_iter().filter(|name| !["", "help"].contains(name)).collect();
        assert!(names.len() > 10, "{help}");
        for name in &names {
            host.sh(&format!("zcat /usr/share/man/man1/banhook-{name}.1.gz | grep -q '^\\.TH '")).ok();
        }
        for file in [
            "bash-completion/completions/banhook",
            "zsh/vendor-completions/_banhook",
            "fish/vendor_completions.d/banhook.fish",
        ] {
            let script = host.read(&format!("/usr/share/{file}"));
            assert!(names.iter().all(|name| script.contains(name)), "{script}");
        }
        let licenses = host.sh("zcat /usr/share/doc/banhook/third-party-licenses.gz").ok().stdout;
        assert!(licenses.contains("wasmtime 4") && licenses.contains("Apache License"), "{licenses:.1000}");
    });
}

#[test]
#[ignore = "needs root and debootstrap: cargo xtask test"]
fn package_upgrade_keeps_edits_and_delivers_what_happens_meanwhile() {
    on_host(|host| {
        set_up(host);
        host.write("/etc/banhook/config.toml", &format!("{CONFIG}{EDIT}"));
        host.sh(&format!("sed -i 's/^options =.*/options = --host edited/' {ACTION_FILE} && fail2ban-client restart"))
            .ok();
        host.sh(START_DAEMON).ok();
        let (action, config) = (host.read(ACTION_FILE), host.read("/etc/banhook/config.toml"));
        assert!(action.contains("options = --host edited"), "{action}");

        let mut banned_before_the_kill = 0;
        let bans = ban_during(host, |banned| {
            let mut apt = host.command(&["sh", "-e", "-c", &apt_install("next.deb")]);
            let mut apt = apt.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            // In the middle: the program is replaced, and nobody has restarted the daemon yet.
            let version = || host.sh("banhook --version").stdout;
            within(Duration::from_secs(60), "the next version to be unpacked", || match version().contains("0.2.0") {
                true => Ok(()),
                false => Err(version()),
            });
            banned_before_the_kill = banned.load(Ordering::Relaxed);
            host.sh("kill -9 $(cat /run/banhook.pid)").ok();
            assert!(apt.wait().unwrap().success());
        });
        assert!(bans.len() > 10, "{bans:?}");
        assert!((1..bans.len()).contains(&banned_before_the_kill), "{banned_before_the_kill} of {}", bans.len());
        host.wait_for_messages(&bans.iter().map(|address| format!("`{address}` banned")).collect::<Vec<_>>());
        let mut counts = BTreeMap::new();
        for message in host.webhook.arrived() {
            *counts.entry(message.shown()).or_insert(0) += 1;
        }
        let repeated: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(repeated.len() <= 1, "only what the killed daemon was sending may arrive twice: {repeated:?}");
        expect_no_errors(host);

        assert_eq!(host.read("/etc/banhook/config.toml"), config);
        assert_eq!(host.read(ACTION_FILE), action);
        let packaged = host.read("/usr/share/banhook/action.d/banhook.conf");
        assert!(packaged.starts_with("# The action of the next version"), "{packaged}");
        assert_eq!(schema(host), NEXT_SCHEMA);
    });
}

/// Bans one address after the other while something happens, which sees how many there are; at least eleven. Returns the
/// addresses.
fn ban_during(host: &Host, during: impl FnOnce(&AtomicUsize)) -> Vec<String> {
    let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let banning = scope.spawn(|| {
            let mut banned = Vec::new();
            while !is_over.load(Ordering::Relaxed) || banned.len() <= 10 {
                let number = banned.len();
                let address = format!("198.51.{}.{}", number / 250, number % 250 + 1);
                host.ban(&address);
                banned.push(address);
                count.store(banned.len(), Ordering::Relaxed);
            }
            banned
        });
        during(&count);
        is_over.store(true, Ordering::Relaxed);
        banning.join().unwrap()
    })
}

/// The version of the schema that the next version migrates to.
const NEXT_SCHEMA: &str = "4";

/// The version of the schema in the database.
fn schema(host: &Host) -> String {
    let script = "import sqlite3; print(sqlite3.connect('/var/lib/banhook/banhook.sqlite3').execute('PRAGMA user_version').fetchone()[0])";
    CommandOutput::of(&mut host.command(&["python3", "-c", script])).ok().stdout.trim().to_owned()
}

#[test]
#[ignore = "needs root and debootstrap: cargo xtask test"]
fn package_downgrade_refuses_newer_store_and_leaves_it_alone() {
    on_host(|host| {
        set_up(host);
        host.install("next.deb");
        host.ban("203.0.113.1");
        host.wait_for_messages(&["`203.0.113.1` banned".to_owned()]);
        // Once the run has ended that the older program began.
        until("the store to be the next version's", || {
            let drained = host.sh("banhook drain --timeout 10s");
            if schema(host) == NEXT_SCHEMA { Ok(()) } else { Err(drained.to_string()) }
        });
        host.sh("banhook drain --timeout 60s").ok();
        let stored = || {
            host.sh(
                "cd /var/lib/banhook; find . -name '*.sqlite3' -exec sha256sum {} + | sort; find spool -type f | sort",
            )
            .ok()
            .stdout
        };
        let before = stored();
        assert!(before.contains("banhook.sqlite3"), "{before}");

        host.install("banhook.deb");
        assert!(host.sh("banhook --version").ok().stdout.contains("0.1.0"));
        for command in ["drain", "run", "status"] {
            let output = host.sh(&format!("banhook {command}"));
            let word = "schema version 4, and this banhook supports versions up to 3; install the newer banhook again";
            assert!(output.code == Some(1) && output.stderr.contains(word), "{output}");
        }
        assert_eq!(stored(), before);
        // Events are stored nevertheless, and fail2ban notices nothing.
        host.ban("203.0.113.2");
        host.expect_blocked("203.0.113.2");
        expect_no_errors(host);
        let arrived = host.webhook.arrived().len();
        host.install("next.deb");
        host.sh("banhook drain --timeout 60s").ok();
        host.wait_for_messages(&["`203.0.113.2` banned".to_owned()]);
        assert_eq!(host.webhook.arrived().len(), arrived + 1);
    });
}

/// `systemd-analyze security` counts from 0 (safe) to 10.
#[test]
#[ignore = "needs root and debootstrap: cargo xtask test"]
fn unit_is_confined() {
    on_host(|host| {
        host.install("banhook.deb");
        let analyze = "systemd-analyze security --no-pager --offline=true --threshold=20";
        host.sh(&format!("{analyze} /usr/lib/systemd/system/banhook.service")).ok();
        host.sh(&format!("{analyze} /usr/lib/systemd/system/banhook-heartbeat.service")).ok();
        let units = "/usr/lib/systemd/system/banhook.service /usr/lib/systemd/system/banhook-heartbeat.timer";
        host.sh(&format!("systemd-analyze verify --man=no {units}")).ok();
    });
}

/// The property of the service that systemd has.
fn service(host: &Host, property: &str) -> String {
    host.sh(&format!("systemctl show --value --property={property} banhook")).ok().stdout.trim().to_owned()
}

/// Waits until the service runs, in another process than this one.
fn wait_until_service_runs(host: &Host, other_than: &str) -> String {
    until("the service to run", || {
        let (state, pid) = (service(host, "ActiveState"), service(host, "MainPID"));
        if state == "active" && pid != other_than { Ok(pid) } else { Err(format!("{state} {pid}")) }
    })
}

/// From its first start to the power-off, with systemd as process 1.
#[test]
#[ignore = "needs root and debootstrap: cargo xtask test"]
fn service_under_systemd_starts_is_watched_upgraded_stopped_and_removed() {
    let env = TestEnv::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| under_systemd(Host::boot(&env)));
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn under_systemd(mut host: Host) {
    let banned = |host: &Host, address: &str| {
        host.ban(address);
        host.wait_for_messages(&[format!("`{address}` banned in `sshd`")]);
    };
    // Without a configuration nothing has failed.
    host.install("banhook.deb");
    assert_eq!((service(&host, "UnitFileState"), service(&host, "ActiveState")), ("enabled".into(), "inactive".into()));
    host.write(
        "/etc/banhook/config.toml",
        &format!("[webhooks.main]\nurl_credential = \"main\"\n{EDIT}quiet = \"1d\"\n"),
    );
    host.sh("install -m 600 /dev/null /root/banhook.url; mkdir -p /run/systemd/system/banhook.service.d").ok();
    host.write("/root/banhook.url", &host.webhook.url());
    let drop_in = "[Service]\nLoadCredential=main:/root/banhook.url\nWatchdogSec=4\nRestartSec=0\n";
    host.write("/run/systemd/system/banhook.service.d/test.conf", drop_in);
    host.write("/etc/fail2ban/jail.local", JAIL_LOCAL);
    host.sh("systemctl daemon-reload; systemctl start banhook; systemctl restart fail2ban").ok();
    until("fail2ban to answer", || {
        let ping = host.sh("fail2ban-client status sshd");
        if ping.code == Some(0) { Ok(()) } else { Err(ping.to_string()) }
    });
    let pid = wait_until_service_runs(&host, "0");
    let user = host.sh(&format!("stat -c %U /proc/{pid}")).ok().stdout;
    assert_eq!(user.trim(), "banhook");
    banned(&host, "203.0.113.1");
    // Of a route that wants to know of silence, the timer's unit asks fail2ban, and the daemon may read the answer.
    host.sh("systemctl is-enabled banhook-heartbeat.timer && systemctl is-active banhook-heartbeat.timer").ok();
    let answer = host.sh("systemctl start banhook-heartbeat && su -s /bin/cat banhook /var/lib/banhook/heartbeat").ok();
    assert!(answer.stdout.contains(r#""jails":1"#) && answer.stdout.contains(r#""banned":1"#), "{answer}");
    // Nobody restarts what feeds the watchdog, also when it has nothing to do.
    until("the watchdog to be fed past its time", || {
        let microseconds = |property| service(&host, property).parse().unwrap_or(0_u64);
        let (fed, began) = (microseconds("WatchdogTimestampMonotonic"), microseconds("ActiveEnterTimestampMonotonic"));
        if fed > began + 5_000_000 { Ok(()) } else { Err(format!("{began} {fed}")) }
    });
    assert_eq!((service(&host, "MainPID"), service(&host, "NRestarts")), (pid.clone(), "0".into()));

    // A daemon that hangs is replaced, and what was banned meanwhile arrives.
    host.sh(&format!("kill -STOP {pid}")).ok();
    host.ban("203.0.113.2");
    let pid = wait_until_service_runs(&host, &pid);
    assert_eq!(service(&host, "NRestarts"), "1");
    host.wait_for_messages(&["`203.0.113.2` banned in `sshd`".to_owned()]);
    let log = host.sh("journalctl --unit=banhook --output=json --no-pager").ok().stdout;
    assert!(log.contains("Watchdog timeout") && log.contains(r#""PRIORITY":"6""#), "{log}");

    host.install("next.deb");
    let pid = wait_until_service_runs(&host, &pid);
    banned(&host, "203.0.113.3");
    assert_eq!(schema(&host), NEXT_SCHEMA);

    // What everybody can read is no secret, also where the service sees it on a read-only mount.
    host.write("/etc/banhook/main.url", &host.webhook.url());
    host.sh("chmod 644 /etc/banhook/main.url").ok();
    let with_file = format!("[webhooks.main]\nurl_file = \"main.url\"\n{EDIT}");
    host.write("/etc/banhook/config.toml", &with_file);
    until("the file to be refused", || {
        let log = host.sh("journalctl --unit=banhook --no-pager").ok().stdout;
        if log.contains("is accessible to every user") { Ok(()) } else { Err(log) }
    });
    host.sh("chmod 640 /etc/banhook/main.url && chgrp banhook /etc/banhook/main.url").ok();

    // Without it, fail2ban goes on.
    host.sh("apt-get remove --yes --quiet banhook").ok();
    host.sh("systemctl is-active fail2ban").ok();
    assert_eq!(service(&host, "ActiveState"), "inactive");
    host.ban("203.0.113.4");
    host.expect_blocked("203.0.113.4");
    host.install("next.deb");
    host.sh("systemctl start banhook").ok();
    wait_until_service_runs(&host, &pid);
    banned(&host, "203.0.113.5");

    // fail2ban and banhook stop in this order; everything has gone out, or is pending for the next boot.
    let before = host.webhook.arrived().len();
    host.sh("systemctl poweroff --no-block").ok();
    host.wait_until_off();
    let last: Vec<_> = host.webhook.arrived().iter().skip(before).map(|message| message.shown()).collect();
    assert!(last.iter().any(|message| message.contains("Jail `sshd` stopped")), "{last:?}");
}

#[test]
#[ignore = "needs root and debootstrap: cargo xtask test"]
fn package_removed_or_purged_leaves_jails_that_block() {
    on_host(|host| {
        set_up(host);
        host.ban("203.0.113.1");
        host.wait_for_messages(&["`203.0.113.1` banned".to_owned()]);
        for (number, task) in ["remove", "purge"].into_iter().enumerate() {
            let output = host.sh(&format!("apt-get {task} --yes --quiet banhook")).ok();
            assert_eq!(output.stdout.contains("stays"), task == "purge", "{output}");
            host.sh("test -e /usr/bin/banhook-notify").exits(1);
            // The running fail2ban, and one that has read its configuration again.
            let address = |last: usize| format!("203.0.113.{}", 10 * (number + 1) + last);
            host.ban(&address(1));
            host.expect_blocked(&address(1));
            host.sh("fail2ban-client -t").ok();
            host.sh("fail2ban-client restart").ok();
            let jails = host.sh("fail2ban-client status").ok();
            assert!(jails.stdout.contains("Jail list:\tsshd"), "{jails}");
            host.ban(&address(2));
            host.expect_blocked(&address(2));
            expect_no_errors(host);
            host.sh(&format!("test -f {ACTION_FILE}")).ok();
        }
        host.sh("test ! -e /etc/banhook -a ! -e /var/lib/banhook").ok();

        // With no jail that names it, nothing is left but the user.
        host.install("banhook.deb");
        host.sh("rm /etc/fail2ban/jail.local; fail2ban-client restart; apt-get purge --yes --quiet banhook").ok();
        host.sh("fail2ban-client -t").ok();
        let left = host.sh("find / -xdev -name '*banhook*'").ok().stdout;
        assert_eq!(left, "");
        let named =
            host.sh("grep -rl banhook /etc /var/lib/ucf/hashfile /var/lib/ucf/registry /var/lib/dpkg/info /var/lib/systemd | sort").ok().stdout;
        let named: Vec<_> = named.lines().filter(|file| !file.ends_with('-')).collect();
        assert_eq!(named, ["/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow"], "{named:?}");
    });
}
