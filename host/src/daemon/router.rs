//! The thread that puts waiting events through the pipeline.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::event::Timestamp;
use crate::pipeline::Pipeline;
use crate::store::{Store, StoreError};

/// How often the inbox is looked at without a wake-up.
const LOOK: Duration = Duration::from_secs(1);

/// Batches between two checkpoints: the write-ahead log then holds a megabyte or a few.
const CHECKPOINT_EVERY: u32 = 50;

/// Routes events until the other end of `wake` is gone. `routed` is told after each batch.
pub(super) fn run(
    pipeline: &Pipeline,
    mut store: Store,
    now: fn() -> Timestamp,
    wake: &Receiver<()>,
    routed: &Arc<Notify>,
) -> Result<(), StoreError> {
    let mut batches = 0;
    loop {
        while pipeline.advance(&mut store, now())? > 0 {
            routed.notify_one();
            batches += 1;
            if batches == CHECKPOINT_EVERY {
                store.checkpoint()?;
                batches = 0;
            }
            // Between two batches a stop must be seen, even in a storm.
            if matches!(wake.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)) {
                return Ok(());
            }
        }
        if wake.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
            return Ok(());
        }
    }
}
