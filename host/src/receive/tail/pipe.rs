//! A log that comes through a pipe: `journalctl -f -u fail2ban | banhook tail -`. It cannot be read again, so it has no
//! checkpoint.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::TailError;
use super::event_sink::EventSink;
use super::problem_report::ProblemReport;
use crate::receive::log::LogParser;

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 64 << 10;

/// How many pieces are read ahead.
const PIECES_AHEAD: usize = 4;

/// How often a reader checks whether it is stopped.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A pipe that a thread of its own reads, since reading may block for ever.
pub(crate) struct Pipe(Mutex<Receiver<io::Result<Vec<u8>>>>);

impl Pipe {
    /// Starts to read. The thread ends with the pipe, or with the process.
    #[must_use]
    pub(crate) fn open(mut from: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(PIECES_AHEAD);
        let failed_to_start = sender.clone();
        let started = std::thread::Builder::new().name("pipe".into()).spawn(move || {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                let piece = match from.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(read) => Ok(buffer.get(..read).unwrap_or_default().to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = piece.is_err();
                if sender.send(piece).is_err() || failed {
                    return;
                }
            }
        });
        if let Err(error) = started {
            // Whoever reads next learns it.
            let _ = failed_to_start.try_send(Err(error));
        }
        Self(Mutex::new(receiver))
    }
}

/// The name of standard input, as a log.
pub(crate) const STDIN: &str = "-";

/// Reads a pipe to its end, or until `stopped`, which is called now and then, returns true. Returns the parser.
///
/// # Errors
/// When it cannot be read, or `sink` fails.
pub(crate) fn read_pipe(
    pipe: &Pipe,
    mut parser: LogParser,
    sink: &mut dyn EventSink,
    stopped: &dyn Fn() -> bool,
) -> Result<LogParser, TailError> {
    sink.report(STDIN, None)?;
    let append = |parser: &mut LogParser, sink: &mut dyn EventSink| {
        let events: Vec<_> = parser.by_ref().map(|logged| logged.event).collect();
        if events.is_empty() { Ok(()) } else { sink.append(STDIN, events, None) }
    };
    let mut problem = ProblemReport::default();
    let pieces = pipe.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !stopped() {
        match pieces.recv_timeout(parser.resolve_timeout().unwrap_or(STOP_POLL_INTERVAL)) {
            Ok(piece) => {
                let piece = piece.map_err(|reason| TailError::Read { path: STDIN.into(), reason })?;
                parser.feed(&piece);
                append(&mut parser, sink)?;
                problem.update(&parser, STDIN, sink)?;
            }
            Err(RecvTimeoutError::Timeout) => {
                parser.resolve();
                append(&mut parser, sink)?;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    parser.resolve();
    append(&mut parser, sink)?;
    Ok(parser)
}
