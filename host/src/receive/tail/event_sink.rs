//! Where the events of a log go: into the store, or to standard output.

use std::io::Write;

use super::error::TailError;
use crate::event::{Event, Timestamp};
use crate::store::{Checkpoint, Store};

/// Where the events of a log go.
pub(crate) trait EventSink {
    /// Returns how far a log was read before.
    ///
    /// # Errors
    /// When that cannot be read.
    fn checkpoint(&mut self, log: &str) -> Result<Option<Checkpoint>, TailError>;

    /// Returns how far each file was read before, under whatever name.
    ///
    /// # Errors
    /// When that cannot be read.
    fn file_checkpoints(&mut self) -> Result<Vec<Checkpoint>, TailError>;

    /// Reports that a log is followed, and why nothing of it is read or understood.
    ///
    /// # Errors
    /// When that cannot be stored.
    fn report(&mut self, log: &str, problem: Option<&str>) -> Result<(), TailError>;

    /// Appends events and moves the log's checkpoint past them, both or neither.
    ///
    /// # Errors
    /// When it cannot; then it has done neither.
    fn append(&mut self, log: &str, events: Vec<Event>, checkpoint: Option<&Checkpoint>) -> Result<(), TailError>;
}

/// Stores events, and wakes the process that works on the store.
pub(crate) struct InboxSink {
    /// A connection of its own.
    pub inbox: Store,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Makes the ids of events.
    pub new_id: fn() -> String,
}

impl EventSink for InboxSink {
    fn checkpoint(&mut self, log: &str) -> Result<Option<Checkpoint>, TailError> {
        Ok(self.inbox.log_checkpoint(log)?)
    }

    fn file_checkpoints(&mut self) -> Result<Vec<Checkpoint>, TailError> {
        Ok(self.inbox.file_checkpoints()?)
    }

    fn report(&mut self, log: &str, problem: Option<&str>) -> Result<(), TailError> {
        Ok(self.inbox.record_log_problem(log, problem, (self.now)())?)
    }

    fn append(&mut self, log: &str, mut events: Vec<Event>, checkpoint: Option<&Checkpoint>) -> Result<(), TailError> {
        for event in &mut events {
            event.id = (self.new_id)();
        }
        self.inbox.append_all(&events, checkpoint.map(|checkpoint| (log, checkpoint)), (self.now)())?;
        if !events.is_empty() {
            self.inbox.folder().wake();
        }
        Ok(())
    }
}

/// Writes each event as a line of JSON, and stores nothing.
#[derive(Debug)]
pub(crate) struct DryRunSink<W>(pub W);

impl<W: Write> EventSink for DryRunSink<W> {
    fn checkpoint(&mut self, _log: &str) -> Result<Option<Checkpoint>, TailError> {
        Ok(None)
    }

    fn file_checkpoints(&mut self) -> Result<Vec<Checkpoint>, TailError> {
        Ok(Vec::new())
    }

    fn report(&mut self, log: &str, problem: Option<&str>) -> Result<(), TailError> {
        // A dry run has no log; and without stderr nobody reads it.
        problem.map_or(Ok(()), |problem| writeln!(std::io::stderr(), "warning: {log}: {problem}").or(Ok(())))
    }

    fn append(&mut self, _log: &str, events: Vec<Event>, _checkpoint: Option<&Checkpoint>) -> Result<(), TailError> {
        let write = |out: &mut W| {
            for event in &events {
                serde_json::to_writer(&mut *out, event)?;
                out.write_all(b"\n")?;
            }
            out.flush()
        };
        write(&mut self.0).map_err(TailError::Output)
    }
}
