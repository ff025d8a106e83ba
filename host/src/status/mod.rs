//! The state of a store: where every event is, the queues of the webhooks, the plugins of the routes, and the logs; as a
//! report, and as metrics.

mod logs;
mod metrics;
mod report;

pub(crate) use logs::LogStatus;
pub(crate) use metrics::metrics;
pub(crate) use report::StatusReport;
