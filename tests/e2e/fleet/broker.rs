//! A real nats-server as the broker of a fleet, configured by `banhook fleet init` and `fleet add`, on loopback and in the
//! test's folder.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::polling::until;
use crate::test_env::TestEnv;

/// The suites of Debian whose nats-server a fleet takes, the newest last.
pub const SUITES: [&str; 2] = ["trixie", "forky"];

/// One whose nats-server is too old.
pub const TOO_OLD: &str = "bookworm";

/// A broker.
pub struct Broker<'e> {
    env: &'e TestEnv,
    suite: &'static str,
    pub port: u16,
    /// Its name, if it is one of a cluster.
    name: String,
    /// The ports of all servers.
    ports: Vec<u16>,
    /// The port of its monitoring, if it is one of a cluster.
    monitoring: u16,
    /// The process in whose namespace of mounts it runs, if not in that of the tests.
    namespace: Option<u32>,
    server: Option<Child>,
}

impl<'e> Broker<'e> {
    /// Sets a broker up, with these hosts, and starts it.
    pub fn start(env: &'e TestEnv, suite: &'static str, hosts: &[&str]) -> Self {
        let mut broker = Self::set_up(env, suite, hosts);
        broker.resume();
        broker
    }

    /// Sets a broker up that is not running yet.
    pub fn set_up(env: &'e TestEnv, suite: &'static str, hosts: &[&str]) -> Self {
        let port = free_port();
        fs::create_dir_all(env.path("broker")).unwrap();
        let listen = format!("127.0.0.1:{port}");
        env.banhook(["fleet", "init", "--dir", "broker", "--store-dir", "stored", "--listen", &listen]).ok();
        for host in hosts {
            env.banhook(["fleet", "add", host, "--dir", "broker"]).ok();
        }
        Self { env, suite, port, name: String::new(), ports: vec![port], monitoring: 0, namespace: None, server: None }
    }

    /// Sets up and starts a cluster of three, as the documents say.
    pub fn start_cluster(env: &'e TestEnv, suite: &'static str, hosts: &[&str]) -> [Self; 3] {
        let first = Self::set_up(env, suite, hosts);
        let text = fs::read_to_string(first.config()).unwrap();
        let (ports, routes) = ([(); 3].map(|()| free_port()), [(); 3].map(|()| free_port()));
        let all = routes.map(|port| format!("\"nats://127.0.0.1:{port}\"")).join(", ");
        let mut number = 0;
        let mut brokers = ports.map(|port| {
            number += 1;
            let (name, route) = (format!("broker-{number}"), routes[number - 1]);
            let (ports, monitoring) = (ports.to_vec(), free_port());
            let broker = Self { env, suite, port, name: name.clone(), ports, monitoring, namespace: None, server: None };
            let stored = format!("{:?}", first.stored().display().to_string());
            assert!(text.contains(&stored), "{text}");
            let own = text
                .replace(&format!("127.0.0.1:{}", first.port), &format!("127.0.0.1:{port}"))
                .replace(&stored, &format!("{:?}", broker.stored().display().to_string()));
            let cluster = format!(
                "server_name: {name:?}\nhttp: \"127.0.0.1:{monitoring}\"\ncluster {{ name: banhook, listen: \"127.0.0.1:{route}\", routes: [ {all} ] }}\n"
            );
            fs::write(broker.config(), own + &cluster).unwrap();
            broker
        });
        brokers.iter_mut().for_each(Self::resume);
        brokers
    }

    fn config(&self) -> PathBuf {
        self.directory().join(format!("{}banhook-nats.conf", self.name))
    }

    pub fn directory(&self) -> PathBuf {
        self.env.path("broker")
    }

    /// Where it keeps the events.
    pub fn stored(&self) -> PathBuf {
        self.env.path(&format!("{}stored", self.name))
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The addresses that members have.
    pub fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect()
    }

    /// Starts it where the mounts are those of another process, and waits until its streams are up.
    pub fn resume_in(&mut self, process: u32) {
        self.namespace = Some(process);
        self.resume();
    }

    /// Starts it, and waits until its streams are up.
    pub fn resume(&mut self) {
        let log = self.env.path(&format!("{}broker.log", self.name));
        let file = File::options().append(true).create(true).open(&log).unwrap();
        let before = fs::read_to_string(&log).unwrap().matches("Server is ready").count();
        let mut command = match self.namespace {
            Some(process) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--mount=/proc/{process}/ns/mnt")).arg("--").arg(program(self.suite));
                command
            }
            None => Command::new(program(self.suite)),
        };
        let server = command
            .arg("--config")
            .arg(self.config())
            .current_dir(self.env.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        self.server = Some(server);
        until("the broker to be ready", || {
            let text = fs::read_to_string(&log).unwrap();
            let is_ready = text.matches("Server is ready").count() > before;
            if is_ready && TcpStream::connect(("127.0.0.1", self.port)).is_ok() { Ok(()) } else { Err(text) }
        });
    }

    /// Whether it has everything that the others have, as it says itself.
    pub fn is_healthy(&self) -> bool {
        let Ok(mut connection) = TcpStream::connect(("127.0.0.1", self.monitoring)) else { return false };
        let mut answer = String::new();
        let asked = connection.write_all(b"GET /healthz HTTP/1.0\r\n\r\n");
        asked.and_then(|()| connection.read_to_string(&mut answer)).is_ok() && answer.contains(r#""status":"ok""#)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().ok();
            server.wait().unwrap();
        }
    }

    pub fn reload(&self) {
        kill_process(Pid::from_child(self.server.as_ref().unwrap()), Signal::HUP).unwrap();
    }
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a port that the system gives to nobody by itself: also while the broker is down, no other program gets it.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(97);
    loop {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let port = 20_000 + u16::try_from(number).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The server of a suite.
pub fn program(suite: &str) -> PathBuf {
    let folder = std::env::var_os("BANHOOK_NATS_SERVER").map_or_else(
        || Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/nats-server")).to_owned(),
        PathBuf::from,
    );
    let program = folder.join(suite).join("usr/sbin/nats-server");
    assert!(program.is_file(), "{} is missing: cargo xtask test gets it", program.display());
    program
}
