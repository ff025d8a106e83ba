//! The thread that writes a daemon's metrics into a file and serves them.
//!
//! It has its own runtime and its own connection to the store, so that whoever asks for metrics delays no message. It reads
//! the store once a second at most, however often it is asked.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::metrics_server::serve;
use crate::config::{Config, Metrics};
use crate::counters::Counters;
use crate::event::Timestamp;
use crate::message::one_line;
use crate::status::{StatusReport, metrics};
use crate::store::Store;

/// How often the file is written, and an address that could not be listened on is tried again. Prometheus usually asks once
/// in 15 s to 60 s.
const WRITE_INTERVAL: Duration = Duration::from_secs(10);

/// How old metrics may be that are served again.
const SERVE_AGAIN: Duration = Duration::from_secs(1);

/// Connections at a time. Others wait in the system's queue.
const CONNECTIONS_MAX: usize = 4;

/// What node_exporter needs, which runs as another user.
const TEXTFILE_MODE: u32 = 0o644;

/// The configuration whose metrics are written.
#[derive(Clone)]
struct Configured {
    config: Arc<Config>,
    /// Whether a newer one could not be loaded.
    is_outdated: bool,
}

/// The daemon's side of the thread; ends it on drop.
pub(super) struct Exporter {
    configured: Option<watch::Sender<Configured>>,
    thread: Option<JoinHandle<()>>,
    counters: Counters,
}

impl Exporter {
    /// Starts nothing yet.
    pub(super) fn new(counters: &Counters) -> Self {
        Self { configured: None, thread: None, counters: counters.clone() }
    }

    /// Writes and serves the metrics as this configuration says. Starts the thread when that is needed for the first time.
    /// What fails is logged: messages are delivered without metrics, too.
    pub(super) fn configure(&mut self, config: &Config, store: &Store) {
        let webhooks = config.webhooks.keys().map(String::as_str);
        self.counters.prepare(config.routes.iter().map(|route| route.name.as_str()), webhooks);
        let configured = Configured { config: Arc::new(config.clone()), is_outdated: false };
        if let Some(sender) = &self.configured {
            sender.send_replace(configured);
        } else if config.metrics != Metrics::default()
            && let Err(error) = self.start(configured, store)
        {
            tracing::error!("metrics are neither written nor served: {error}");
        }
    }

    /// Records that a newer configuration could not be loaded.
    pub(super) fn configuration_rejected(&self) {
        if let Some(sender) = &self.configured {
            sender.send_modify(|configured| configured.is_outdated = true);
        }
    }

    fn start(&mut self, configured: Configured, store: &Store) -> Result<(), Box<dyn std::error::Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (sender, mut receiver) = watch::channel(configured);
        let source = Source { store: store.new_connection()?, counters: self.counters.clone() };
        let thread = std::thread::Builder::new().name("metrics".into()).spawn(move || {
            runtime.block_on(Output::new(source).run(&mut receiver));
        })?;
        (self.configured, self.thread) = (Some(sender), Some(thread));
        Ok(())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.configured = None;
        // A panic in it is no reason for the daemon to fail.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Where the metrics come from.
struct Source {
    store: Store,
    counters: Counters,
}

impl Source {
    fn read(&self, Configured { config, is_outdated }: &Configured) -> Result<String, Box<dyn std::error::Error>> {
        let known = |_: bool| Some(Ok(Arc::clone(config)));
        let mut report = StatusReport::read(self.store.folder(), Some(&self.store), known, false)?;
        report.configuration_error = is_outdated.then(|| "a newer configuration could not be loaded".to_owned());
        Ok(metrics(&report, Some(&self.counters), Timestamp::now())?)
    }
}

/// The thread's side.
struct Output {
    source: Source,
    /// What was read last, and when.
    read: Option<(Instant, Bytes)>,
    listener: Option<TcpListener>,
    slots: Arc<Semaphore>,
    /// What does not work, and why; each is logged once.
    problems: BTreeMap<Step, String>,
}

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Read,
    Write,
    Listen,
}

impl Output {
    fn new(source: Source) -> Self {
        Self {
            source,
            read: None,
            listener: None,
            slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            problems: BTreeMap::new(),
        }
    }

    /// Writes and serves until nobody can change the configuration any more.
    async fn run(mut self, changes: &mut watch::Receiver<Configured>) {
        let mut interval = tokio::time::interval(WRITE_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listens = None;
        loop {
            let configured = changes.borrow_and_update().clone();
            let Metrics { textfile, listen } = &configured.config.metrics;
            if listens != *listen {
                (self.listener, listens) = (None, *listen);
                interval.reset_immediately();
            }
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Another configuration has other metrics.
                    self.read = None;
                    interval.reset_immediately();
                }
                _ = interval.tick() => {
                    if let (Some(listen), None) = (listen, &self.listener) {
                        self.listen(*listen).await;
                    }
                    if let Some(textfile) = textfile {
                        self.write(textfile, &configured);
                    }
                }
                (stream, slot) = accept(self.listener.as_ref(), &self.slots) => {
                    tokio::spawn(serve(stream, self.text(&configured), slot));
                }
            }
        }
    }

    async fn listen(&mut self, address: SocketAddr) {
        let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let listened = bound.map(|(address, listener)| {
            tracing::info!("metrics served at http://{address}/metrics");
            self.listener = Some(listener);
        });
        let error = |error| format!("metrics are not served: cannot listen on {address}: {error}");
        self.report(Step::Listen, listened.map_err(error));
    }

    /// Returns the metrics, read again unless they are recent; `None`, if they cannot be read.
    fn text(&mut self, configured: &Configured) -> Option<Bytes> {
        if let Some((_, text)) = self.read.as_ref().filter(|(at, _)| at.elapsed() < SERVE_AGAIN) {
            return Some(text.clone());
        }
        let text = self.source.read(configured).map(Bytes::from);
        self.read = text.as_ref().ok().map(|text| (Instant::now(), text.clone()));
        self.report(Step::Read, text.as_ref().map(drop).map_err(|error| format!("metrics cannot be read: {error}")));
        text.ok()
    }

    fn write(&mut self, path: &Path, configured: &Configured) {
        let Some(text) = self.text(configured) else { return };
        let written = replace(path, &text).map_err(|error| {
            let folder = path.parent().unwrap_or(path).display();
            let hint = match error.kind() {
                io::ErrorKind::ReadOnlyFilesystem => format!("; add ReadWritePaths={folder} to the unit"),
                io::ErrorKind::PermissionDenied => format!("; banhook's user must be allowed to write to {folder}"),
                _ => String::new(),
            };
            format!("metrics are not written to {}: {error}{hint}", path.display())
        });
        self.report(Step::Write, written);
    }

    /// Logs a problem once, and its end.
    fn report(&mut self, step: Step, done: Result<(), String>) {
        match done {
            Err(problem) if self.problems.get(&step) != Some(&problem) => {
                tracing::error!("{}", one_line(&problem));
                self.problems.insert(step, problem);
            }
            Ok(()) if self.problems.remove(&step).is_some() => match step {
                Step::Read => tracing::info!("metrics can be read again"),
                Step::Write => tracing::info!("metrics are written again"),
                Step::Listen => {}
            },
            _ => {}
        }
    }
}

/// Waits for a connection while there are fewer than may be; for ever without a listener.
async fn accept(
    listener: Option<&TcpListener>,
    slots: &Arc<Semaphore>,
) -> (tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit) {
    let (Some(listener), Ok(slot)) = (listener, Arc::clone(slots).acquire_owned().await) else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            // Too many open files, for example: no reason to try again at once.
            Err(_) => tokio::time::sleep(SERVE_AGAIN).await,
        }
    }
}

/// Replaces a file, so that nobody reads half of it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".banhook-").suffix(".tmp").tempfile_in(folder);
    // Without the name, which is another one each time: the same problem has the same text.
    let mut file = file.map_err(|error| io::Error::from(error.kind()))?;
    file.write_all(content)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(TEXTFILE_MODE))?;
    file.persist(path)?;
    Ok(())
}
