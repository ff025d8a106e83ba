//! What a finished program left: its exit code, its output and how long it took.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::polling::DEFAULT_TIMEOUT;

/// A finished program.
pub struct CommandOutput {
    what: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl CommandOutput {
    /// Runs to the end, until nobody holds its stdout and stderr any more: a child that is left behind with them open
    /// would have fail2ban wait for it.
    pub fn of(command: &mut Command) -> Self {
        Self::within(command, DEFAULT_TIMEOUT * 2)
    }

    /// As `of`, for what may take that long.
    pub fn within(command: &mut Command, patience: Duration) -> Self {
        let what = format!("{command:?}");
        let begun = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let stdout = read_all(child.stdout.take().unwrap());
        let stderr = read_all(child.stderr.take().unwrap());
        let deadline = begun + patience;
        let mut text =
            |of: mpsc::Receiver<Vec<u8>>| match of.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(_) => {
                    child.kill().ok();
                    panic!("{what}: its output is still open after {:?}", begun.elapsed());
                }
            };
        let (stdout, stderr) = (text(stdout), text(stderr));
        let status = child.wait().unwrap();
        Self { what, code: status.code(), stdout, stderr, took: begun.elapsed() }
    }

    /// It did what it was asked.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// It ended with this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        self
    }

    /// It said one clear thing on stderr, with each of these words in it; a hint may follow on a line of its own.
    #[track_caller]
    pub fn complains(&self, words: &[&str]) {
        let lines: Vec<_> = self.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let is_short = match *lines.as_slice() {
            [_] => true,
            [_, hint] => hint.trim_start().to_lowercase().starts_with("hint"),
            _ => false,
        };
        assert!(is_short, "not one clear line (and perhaps a hint): {self}");
        let said = self.stderr.to_lowercase();
        assert!(said.matches("os error").count() <= 1, "the reason is there twice: {self}");
        for word in words {
            assert!(said.contains(&word.to_lowercase()), "nothing about {word:?}: {self}");
        }
    }
}

impl std::fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, code, stdout, stderr, .. } = self;
        write!(f, "{what}\nexit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
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
