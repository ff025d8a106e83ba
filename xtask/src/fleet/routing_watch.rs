//! When a worker has routed each event: its store is asked all the time, by a process of SQLite that reads it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};

/// How exact the times are.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

const QUERY: &[u8] = b"SELECT last_seq FROM routing_cursor;\n";

/// The running watch.
pub struct RoutingWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Vec<(Instant, usize)>>>,
}

impl RoutingWatch {
    /// Watches the store of a state directory.
    pub fn start(state: &Path) -> anyhow::Result<Self> {
        // Otherwise its answers come in blocks.
        let mut sqlite = Command::new("stdbuf");
        sqlite.args(["-oL", "sqlite3", "-readonly"]).arg(state.join("banhook.sqlite3"));
        let mut child = sqlite.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("running sqlite3")?;
        let mut questions = child.stdin.take().context("a pipe")?;
        let mut answers = BufReader::new(child.stdout.take().context("a pipe")?);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut seen: Vec<(Instant, usize)> = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                questions.write_all(QUERY)?;
                let mut line = String::new();
                ensure!(answers.read_line(&mut line)? > 0, "sqlite3 ended");
                let routed = line.trim().parse().with_context(|| format!("an answer of sqlite3: {line:?}"))?;
                if seen.last().is_none_or(|(_, last)| *last != routed) {
                    seen.push((Instant::now(), routed));
                }
                thread::sleep(POLL_INTERVAL);
            }
            drop(questions);
            child.wait()?;
            Ok(seen)
        });
        Ok(Self { stop, thread })
    }

    /// Ends it. Returns up to which event all were routed, and when that was so first.
    pub fn stop(self) -> anyhow::Result<Vec<(Instant, usize)>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the watch broke off"))?
    }
}
