//! What routes are loaded with, besides their own configuration.

use std::sync::Arc;

use super::webhook_profile::WebhookProfiles;
use crate::event::EventDefaults;
use crate::plugin::Runtime;
use crate::store::StateDir;

/// What all routes of a process share.
#[derive(Clone)]
pub(crate) struct RouteContext {
    /// What events get that have none of their own.
    pub defaults: EventDefaults,
    /// What routes need to know of each webhook.
    pub profiles: WebhookProfiles,
    /// Where plugins run.
    pub runtime: Arc<Runtime>,
    /// Where past events are stored; `None`: there are none.
    pub state: Option<StateDir>,
}
