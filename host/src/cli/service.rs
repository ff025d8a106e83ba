//! What the service manager is told of a daemon: that it is ready, reads its configuration again, or stops.
//!
//! Of a daemon only: what `notify` starts has fail2ban's environment, and would speak for fail2ban's service.

use sd_notify::NotifyState;

/// It is at work.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads everything again; [`ready`] says when that is done.
pub fn reloading() {
    // Without the time systemd takes the message all the same, unless the unit is of Type=notify-reload.
    let at = NotifyState::monotonic_usec_now().ok();
    tell(&[NotifyState::Reloading].into_iter().chain(at).collect::<Vec<_>>());
}

/// It was told to stop, and does.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Without a service manager this does nothing; one that cannot be reached will notice by itself.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager was not told: {error}");
    }
}
