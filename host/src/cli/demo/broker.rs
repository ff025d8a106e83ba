//! The broker of a demonstration: a nats-server on loopback, with the files that `banhook fleet init` and `fleet add` write.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::command_error::CommandError;
use crate::cli::fleet::{add_host, write_files};

/// The program.
const PROGRAM: &str = "nats-server";

/// Where Debian has it, which is in the path of root only.
const SYSTEM_FOLDER: &str = "/usr/sbin";

/// The oldest release that a fleet takes.
const OLDEST: (u32, u32) = (2, 10);

/// How long it may take to start, and to end.
const STARTED_WITHIN: Duration = Duration::from_secs(20);
const ENDED_WITHIN: Duration = Duration::from_secs(5);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The running server. Ended on drop.
pub(super) struct DemoBroker {
    server: Child,
    /// Its program and release.
    pub name: String,
    /// The URL of its members.
    pub url: String,
    /// The file with the worker's key.
    pub worker_key: PathBuf,
    /// The files with the keys of the hosts.
    pub host_keys: Vec<PathBuf>,
}

impl DemoBroker {
    /// Sets it up with these hosts, in a folder that is there, and starts it.
    pub(super) fn start(program: Option<&Path>, folder: &Path, hosts: &[String]) -> Result<Self, CommandError> {
        let program = find(program)?;
        let release = release(&program)?;
        let (name, directory) = (format!("{PROGRAM} {release}"), folder.join("broker"));
        // A port of its own choice takes the place of this one.
        let listen = SocketAddr::from(([127, 0, 0, 1], 4222));
        let (config, worker_key) = write_files(&directory, listen, None, &directory.join("events"))?;
        let added = hosts.iter().map(|host| Ok(add_host(&directory, host)?.0));
        let host_keys = added.collect::<Result<_, CommandError>>()?;
        let log = directory.join("log");
        let mut server = Command::new(&program)
            .arg("--config")
            .arg(&config)
            .args(["--port", "-1", "--ports_file_dir"])
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        match url(&mut server, &directory, &log) {
            Ok(url) => Ok(Self { server, name, url, worker_key, host_keys }),
            Err(error) => {
                let _ = server.kill();
                let _ = server.wait();
                Err(error.into())
            }
        }
    }

    /// Its process.
    pub(super) fn process(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for DemoBroker {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.server), Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < ENDED_WITHIN && matches!(self.server.try_wait(), Ok(None)) {
            thread::sleep(POLL_INTERVAL);
        }
        // It has ended by now, unless something is wrong with it.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Returns the URL at which it listens, once it does.
fn url(server: &mut Child, directory: &Path, log: &Path) -> anyhow::Result<String> {
    let file = directory.join(format!("{PROGRAM}_{}.ports", server.id()));
    let (began, last_line) = (Instant::now(), || {
        let log = fs::read_to_string(log).unwrap_or_default();
        log.lines().last().unwrap_or("it says nothing").to_owned()
    });
    while began.elapsed() < STARTED_WITHIN {
        // It may be written only in part yet.
        let ports: Option<Value> = fs::read(&file).ok().and_then(|ports| serde_json::from_slice(&ports).ok());
        if let Some(url) = ports.as_ref().and_then(|ports| ports.pointer("/nats/0")?.as_str()) {
            return Ok(url.to_owned());
        }
        if let Some(status) = server.try_wait()? {
            return Err(anyhow!("{PROGRAM} has ended ({status}): {}", last_line()));
        }
        thread::sleep(POLL_INTERVAL);
    }
    Err(anyhow!("{PROGRAM} does not listen within {} s: {}", STARTED_WITHIN.as_secs(), last_line()))
}

/// Returns the program that was named, or that of the system.
fn find(program: Option<&Path>) -> Result<PathBuf, CommandError> {
    if let Some(program) = program {
        return Ok(program.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).chain([PathBuf::from(SYSTEM_FOLDER)]).map(|dir| dir.join(PROGRAM));
    found.find(|program| program.is_file()).ok_or_else(|| {
        CommandError::Input(anyhow!(
            "there is no {PROGRAM} in PATH or {SYSTEM_FOLDER}; install the package nats-server (of Debian 13 or later, or \
             from https://github.com/nats-io/nats-server/releases), or name the program with --nats-server"
        ))
    })
}

/// Returns the program's release, if a fleet takes it.
fn release(program: &Path) -> Result<String, CommandError> {
    let shown = program.display();
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {shown}")).map_err(CommandError::Input)?;
    // `nats-server: v2.10.27`
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let release = text.trim().rsplit_once(": v").map(|(_, release)| release.to_owned());
    let numbers = release.as_ref().and_then(|release| {
        let mut numbers = release.split('.').map(|number| number.parse::<u32>().ok());
        Some((numbers.next()??, numbers.next()??))
    });
    match release.zip(numbers) {
        Some((release, numbers)) if numbers >= OLDEST => Ok(release),
        Some((release, _)) => Err(CommandError::Input(anyhow!(
            "{shown} is nats-server {release}, and a fleet needs 2.10 or later; install the package of Debian 13 or later, \
             or one from https://github.com/nats-io/nats-server/releases, and name it with --nats-server"
        ))),
        None => Err(CommandError::Input(anyhow!("{shown} is not nats-server: --version prints no release"))),
    }
}
