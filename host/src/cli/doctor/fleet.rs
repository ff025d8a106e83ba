//! Whether the broker of a fleet can be reached, and a worker reads from it.

use tokio::runtime::Builder;

use super::finding::Finding;
use crate::cli::global_options::host_name;
use crate::config::{Config, Fleet};
use crate::fleet::{BrokerStatus, broker_status};

const CHECK: &str = "fleet";

/// Asks the broker, which answers or not within some seconds.
pub(super) fn findings(config: &Config, fleet: &Fleet) -> Vec<Finding> {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::warn(CHECK, format!("not checked: {error}"), "run doctor again")],
    };
    let host = config.event_defaults(&host_name()).host;
    let status = runtime.block_on(broker_status(fleet, &host));
    // A name that the system still looks up would hold the runtime.
    runtime.shutdown_background();
    match status {
        Ok(BrokerStatus { version, worker: Some(worker), .. }) => {
            vec![Finding::ok(CHECK, format!("the broker (nats-server {version}) answers, and {worker} is the worker"))]
        }
        Ok(BrokerStatus { version, worker: None, .. }) => vec![Finding::fail(
            CHECK,
            format!("the broker (nats-server {version}) answers, and no worker is running: events wait there"),
            "start banhook on the worker (systemctl start banhook)",
        )],
        Err(error) => vec![Finding::fail(
            CHECK,
            error.to_string(),
            "see that servers and nkey_file under [fleet] are right, and that nats-server is running",
        )],
    }
}
