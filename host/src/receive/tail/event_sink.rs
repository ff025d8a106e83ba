//! Where events of a log go: into the store, or onto standard output.

use std::io::Write;

use super::error::TailError;
use crate::event::{Event, Timestamp};
use crate::store::{Checkpoint, Inbox};

/// Where the events of a log go.
pub trait EventSink {
    /// How far a log was read before.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn checkpoint(&mut self, log: &str) -> Result<Option<Checkpoint>, TailError>;

    /// Appends events and moves the log's checkpoint past them, both or neither.
    ///
    /// # Errors
    /// When it cannot; then it has done neither.
    fn append(&mut self, log: &str, events: Vec<Event>, checkpoint: Option<&Checkpoint>) -> Result<(), TailError>;
}

/// Into the store; whoever works on it is woken.
pub struct InboxSink {
    /// A connection of its own.
    pub inbox: Inbox,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Makes the events' ids.
    pub new_id: fn() -> String,
}

impl EventSink for InboxSink {
    fn checkpoint(&mut self, log: &str) -> Result<Option<Checkpoint>, TailError> {
        Ok(self.inbox.log_checkpoint(log)?)
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

/// One line of JSON for each event, and nothing stored.
#[derive(Debug)]
pub struct DryRun<W>(pub W);

impl<W: Write> EventSink for DryRun<W> {
    fn checkpoint(&mut self, _log: &str) -> Result<Option<Checkpoint>, TailError> {
        Ok(None)
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
