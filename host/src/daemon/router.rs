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

/// Routes events until the other end of `wake` is gone. `routed` is told after each batch.
pub(super) fn run(
    pipeline: &Pipeline,
    mut store: Store,
    now: fn() -> Timestamp,
    wake: &Receiver<()>,
    routed: &Arc<Notify>,
) -> Result<(), StoreError> {
    loop {
        let mut any = false;
        while pipeline.advance(&mut store, now())? > 0 {
            any = true;
            routed.notify_one();
            // Between two batches a stop must be seen, even in a storm.
            if matches!(wake.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)) {
                return Ok(());
            }
        }
        if any {
            store.checkpoint_if_long()?;
        }
        if wake.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
            return Ok(());
        }
    }
}
