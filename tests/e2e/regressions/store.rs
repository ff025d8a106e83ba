//! The store, the sandbox's memory and the log's size.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::binary::banhook;
use crate::test_env::{QUICK, TestEnv};

/// Memory that a daemon with all of the components below may take at its peak, in KiB.
const PEAK_KIB: u64 = 200 << 10;

/// Memory that a daemon and each compiler may allocate, in KiB: a small virtual machine has no more.
const ALLOCATED_KIB: u64 = 400 << 10;

/// Components that once had the host allocate a thousand times their size, or could; with what the alert says.
fn greedy() -> Vec<(&'static str, String, &'static str)> {
    let functions: String = (0..1_000).map(|number| format!(r#"(export "f{number:05}" (func))"#)).collect();
    let import = |patch| format!(r#"(import "wasi:cli/environment@0.2.{patch}" (instance (type $t)))"#);
    let versions: String = (0..900).map(import).collect();
    let exports: String = (0..60_000).map(|number| format!(r#"(export "e{number}" (func $f))"#)).collect();
    let record: String = (0..1_900).map(|number| format!(r#"(field "f{number:04}" u8)"#)).collect();
    let sparse = r#"(core module (memory 256) (data (i32.const 0) "a") (data (i32.const 16777208) "b"))"#;
    let mut doubling = "(core module) (core instance (instantiate 0))".to_owned();
    for _ in 0..20 {
        doubling = format!("(component {doubling}) (instance (instantiate 0)) (instance (instantiate 0))");
    }
    vec![
        ("versions", format!("(type $t (instance {functions})){versions}"), "900 imports, 100 are allowed"),
        ("made-up", format!("(type $t (instance {functions})){}", import(3)), "which WASI 0.2 does not have"),
        ("modules", "(core module)".repeat(9_000), "core modules, 200 are allowed"),
        ("names", format!(r#"(core module (func $f) {exports})"#), "component of another world"),
        ("types", format!("(type (record {record}))").repeat(15), "component of another world"),
        ("doubling", doubling, "larger than the sandbox"),
        ("images", sparse.repeat(190), "compil"),
        ("memory", "(core module (memory 65536)) (core instance (instantiate 0))".to_owned(), "of another world"),
        // Too large for the pool, where the system has room for one.
        ("table", "(core module (table 10000000 funcref))".to_owned(), ""),
        ("custom", format!("(@custom \"c\" \"{}\")", "x".repeat(1_000_000)), "component of another world"),
    ]
}

// A review of the host's memory: 40 KB of component took 545 MB of the daemon, 1 MB took 4 GB and 905 MB of disk.
#[test]
fn memory_of_components_that_declare_much_is_bounded() {
    let env = TestEnv::new();
    let mut config = format!("[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n");
    let greedy = greedy();
    for (name, text, _) in &greedy {
        env.write(&format!("{name}.wasm"), wat::parse_str(format!("(component {text})")).unwrap());
        write!(
            config,
            "[[routes]]\nname = \"{name}\"\nwebhook = \"main\"\nplugin = \"{name}.wasm\"\nstorm = false\nrestart = false\n"
        )
        .unwrap();
    }
    env.write("config.toml", config);
    env.notify("ban --no-spawn --jail=sshd --ip=203.0.113.7");
    let limited = format!("ulimit -d {ALLOCATED_KIB} && exec \"$0\" run");
    let daemon = env.daemon_of(env.command("sh").args(["-c", &limited]).arg(banhook()));
    let messages = env.webhook.wait_for(greedy.len());
    for (name, _, words) in greedy {
        let file = format!("{name}.wasm");
        let found = messages.iter().any(|message| message.contains(&["203.0.113.7", &file, words]));
        let all: Vec<_> = messages.iter().map(|message| message.shown()).collect();
        assert!(found, "{name}: {all:#?}");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    assert!(peak.parse::<u64>().unwrap() < PEAK_KIB, "{peak} KiB");
    let cached: u64 =
        fs::read_dir(env.state().join("cache")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(cached < 64 << 20, "{cached} bytes of cache");
    daemon.stop();
}

// A review of damaged stores: one byte of one message or event ended the daemon at each start, for ever.
#[test]
fn damaged_record_is_quarantined_and_the_others_are_sent() {
    let env = TestEnv::new();
    env.webhook.stop();
    for number in 1..=3 {
        env.notify(&format!("--no-spawn ban --jail=sshd --ip=203.0.113.{number}"));
    }
    env.banhook(["drain", "--timeout", "8s"]).exits(1);
    // It leaves a run, which would write to the file while it is being damaged, or leave the message in the write-ahead log.
    env.end_runs();
    damage(&env, b"203.0.113.2`");
    env.webhook.start();
    let drained = env.banhook(["drain"]).exits(1);
    assert!(drained.stderr.contains("banhook: 1 dead"), "{drained}");
    assert_eq!(env.webhook.wait_for(2).len(), 2);
    let ledger = env.ledger();
    assert_eq!((ledger.all().posted, ledger.all().dead, ledger.all().pending), (2, 1, 0), "{ledger:?}");
    let status = env.banhook(["status"]);
    assert!(status.stdout.contains("last dead") && status.stdout.contains("checksum"), "{status}");
    let checked = env.banhook(["status", "--check"]).exits(1);
    assert!(checked.stdout.contains("damaged: message 2"), "{checked}");
    // The event is intact.
    env.banhook(["queue", "retry", "--all"]).ok();
    env.banhook(["drain"]).ok();
    assert!(env.webhook.wait_for(3)[2].contains(&["203.0.113.2"]));
    damage(&env, b"\"203.0.113.2\"");
    let checked = env.banhook(["status", "--check"]).exits(1);
    assert!(checked.stdout.contains("damaged: event 2"), "{checked}");
}

/// Changes the last byte of these bytes in the database to one that is not UTF-8.
fn damage(env: &TestEnv, bytes: &[u8]) {
    let path = env.state().join("banhook.sqlite3");
    let mut content = fs::read(&path).unwrap();
    let at = content.windows(bytes.len()).position(|part| part == bytes).unwrap();
    content[at + bytes.len() - 1] = 0xff;
    fs::write(path, content).unwrap();
}

// A review of permissions: a state directory and configuration that others may write drew no word.
#[test]
fn state_dir_that_others_may_write_is_refused_and_notify_stores() {
    let env = TestEnv::new();
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.1");
    fs::set_permissions(env.state(), fs::Permissions::from_mode(0o770)).unwrap();
    let notified = env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.2");
    assert!(notified.stderr.contains("the event is stored, but others"), "{notified}");
    let run = "run: chmod go-w";
    for command in [&["run"][..], &["drain", "--timeout", "5s"], &["run", "--until-idle"]] {
        env.banhook(command).exits(1).complains(&[run, "mode 0770"]);
    }
    env.banhook(["config", "check"]).exits(2).complains(&[run]);
    fs::set_permissions(env.state(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(env.config(), fs::Permissions::from_mode(0o666)).unwrap();
    env.banhook(["config", "check"]).ok().complains(&["warning", run]);
    env.banhook(["drain"]).ok();
    assert_eq!(env.wait_until_idle().all().posted, 2);
}
