//! The result of a command that has finished: its exit code, its output and how long it took.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::polling::DEFAULT_TIMEOUT;

/// The exit code and output of a finished command.
#[derive(Clone)]
pub struct CommandOutput {
    command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl CommandOutput {
    /// Runs a command until it has exited and its stdout and stderr are closed: fail2ban, too, would wait for a child that
    /// keeps them open.
    pub fn of(command: &mut Command) -> Self {
        Self::within(command, DEFAULT_TIMEOUT * 2)
    }

    /// The same with another timeout.
    pub fn within(command: &mut Command, timeout: Duration) -> Self {
        let name = format!("{command:?}");
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let stdout = read_all(child.stdout.take().unwrap());
        let stderr = read_all(child.stderr.take().unwrap());
        let deadline = start + timeout;
        let mut text =
            |of: mpsc::Receiver<Vec<u8>>| match of.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(_) => {
                    child.kill().ok();
                    panic!("{name}: its output is still open after {:?}", start.elapsed());
                }
            };
        let (stdout, stderr) = (text(stdout), text(stderr));
        let status = child.wait().unwrap();
        Self { command: name, code: status.code(), stdout, stderr, took: start.elapsed() }
    }

    /// Fails unless it exited with success.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Fails unless it exited with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        self
    }

    /// Fails unless stderr is one line with each of these words in it; a hint may follow on a line of its own.
    #[track_caller]
    pub fn complains(&self, words: &[&str]) {
        let lines: Vec<_> = self.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let is_short = match *lines.as_slice() {
            [_] => true,
            [_, hint] => hint.trim_start().to_lowercase().starts_with("hint"),
            _ => false,
        };
        assert!(is_short, "not one line, with at most a hint after it: {self}");
        let stderr = self.stderr.to_lowercase();
        assert!(stderr.matches("os error").count() <= 1, "the reason is printed twice: {self}");
        for word in words {
            assert!(stderr.contains(&word.to_lowercase()), "no {word:?}: {self}");
        }
    }
}

impl std::fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr, .. } = self;
        write!(f, "{command}\nexit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        sender.send(bytes).ok();
    });
    receiver
}
