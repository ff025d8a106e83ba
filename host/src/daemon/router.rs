//! The thread that puts waiting events through the pipeline.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::event::Timestamp;
use crate::pipeline::Pipeline;
use crate::store::{Store, StoreError};

/// How often the inbox is looked at without a wake-up.
const LOOK: Duration = Duration::from_secs(1);

/// A batch is cut short after this long: what a slow plugin has decided must not wait for what it has not.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// Routes events until the other end of `wake` is gone. `routed` is told after each batch.
pub(super) fn run(
    pipeline: &Pipeline,
    mut store: Store,
    now: fn() -> Timestamp,
    wake: &Receiver<()>,
    routed: &Arc<Notify>,
) -> Result<(), StoreError> {
    let stopped = || matches!(wake.try_recv(), Err(TryRecvError::Disconnected));
    loop {
        loop {
            let begun = Instant::now();
            if pipeline.advance(&mut store, now(), || begun.elapsed() > BATCH_TIME || stopped())? == 0 {
                break;
            }
            routed.notify_one();
            store.checkpoint_if_long()?;
            if stopped() {
                return Ok(());
            }
        }
        if wake.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
            return Ok(());
        }
        store.checkpoint_if_long()?;
    }
}
