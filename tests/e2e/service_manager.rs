//! The notifications that a daemon sends to the service manager (systemd's sd_notify protocol).

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::banhook;
use crate::polling::DEFAULT_TIMEOUT;
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
