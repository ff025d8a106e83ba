//! The notifications that a daemon sends to the service manager (systemd's sd_notify protocol).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::{banhook, require};
use crate::polling::{DEFAULT_TIMEOUT, until};
use crate::test_env::{TestEnv, terminate};

/// The socket of the service manager.
fn manager(env: &TestEnv) -> UnixDatagram {
    let socket = UnixDatagram::bind(env.path("manager")).unwrap();
    socket.set_read_timeout(Some(DEFAULT_TIMEOUT)).unwrap();
    socket
}

fn receive(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 1024];
    let length = manager.recv(&mut bytes).expect("a notification");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
fn service_manager_hears_ready_reloading_and_stopping() {
    let env = TestEnv::new();
    let manager = manager(&env);
    let mut command = env.command(banhook());
    command.arg("run").env("NOTIFY_SOCKET", env.path("manager"));
    let mut daemon = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(receive(&manager), "READY=1\n");
    kill_process(Pid::from_child(&daemon), Signal::HUP).unwrap();
    let reloading = receive(&manager);
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(receive(&manager), "READY=1\n");
    assert!(terminate(&mut daemon).success());
    assert_eq!(receive(&manager), "STOPPING=1\n");
}

/// With a watchdog of one second, a thread is stuck after half of it.
#[test]
#[ignore = "needs strace: cargo xtask test"]
fn watchdog_is_fed_until_a_thread_is_stuck() {
    require("strace", "strace");
    let env = TestEnv::new();
    let manager = manager(&env);
    let mut command = env.command(banhook());
    command.arg("run").env("NOTIFY_SOCKET", env.path("manager")).env("WATCHDOG_USEC", "1000000");
    let mut daemon = env.daemon_of(&mut command);
    let fed = |wanted: bool| {
        manager.set_nonblocking(true).unwrap();
        while manager.recv(&mut [0; 64]).is_ok() {}
        manager.set_nonblocking(false).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        let received = manager.recv(&mut [0; 64]).is_ok();
        if received == wanted { Ok(()) } else { Err(format!("fed: {received}")) }
    };
    until("the watchdog to be fed", || fed(true));
    // A disk that does not answer: the router waits for it, and the rest of the daemon goes on.
    let router = thread_of(daemon.pid(), "router");
    let mut strace = env.command("strace");
    strace.args(["-qqq", "-o", "/dev/null", "-p", &router.to_string(), "-e", "trace=pwrite64"]);
    let _strace = env.spawn(strace.args(["-e", "inject=pwrite64:delay_enter=20000000"]));
    until("the router to be traced", || {
        let status = fs::read_to_string(format!("/proc/{}/task/{router}/status", daemon.pid())).unwrap();
        if status.contains("TracerPid:\t0") { Err(status) } else { Ok(()) }
    });
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    until("the watchdog to be fed no more", || fed(false));
    assert!(env.log().contains("a thread has made no progress for"), "{}", env.log());
    assert!(daemon.exit_status().is_none());
}

fn thread_of(process: u32, name: &str) -> u32 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|entry| entry.unwrap().path());
    let named = |thread: &std::path::PathBuf| fs::read_to_string(thread.join("comm")).unwrap().trim() == name;
    let mut threads = threads;
    threads.find(named).unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
}

#[test]
fn log_lines_in_the_journal_have_a_priority_and_no_time() {
    let env = TestEnv::with_route("plugin = \"broken.wasm\"");
    env.write("broken.wasm", "");
    let stderr = fs::metadata(env.write("run.log", "")).unwrap();
    let stream = format!("{}:{}", stderr.dev(), stderr.ino());
    let daemon = env.daemon_of(env.command(banhook()).arg("run").env("JOURNAL_STREAM", stream));
    for begin in ["<6> INFO ready", "<3>ERROR plugin"] {
        until("the line", || {
            let log = env.log();
            if log.lines().any(|line| line.starts_with(begin)) { Ok(()) } else { Err(log) }
        });
    }
    daemon.stop();
    // Inherited by a process that writes elsewhere.
    let daemon = env.daemon_of(env.command(banhook()).arg("run").env("JOURNAL_STREAM", "8:1"));
    assert!(env.log().contains("Z  INFO ready") && !env.log().contains("<6>"), "{}", env.log());
    daemon.stop();
}

#[test]
fn service_manager_hears_nothing_from_notify() {
    let env = TestEnv::new();
    let manager = manager(&env);
    let mut notify = env.command(banhook());
    notify.args(["notify", "ban", "--jail=sshd", "--ip=203.0.113.7"]).env("NOTIFY_SOCKET", env.path("manager"));
    assert!(notify.status().unwrap().success());
    env.webhook.wait_for(1);
    env.wait_until_idle();
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut [0; 16]).is_err(), "a notification was sent");
}
