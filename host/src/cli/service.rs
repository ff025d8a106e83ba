//! Notifies the service manager of the daemon's state: ready, reloading, stopping.
//!
//! Only a daemon does so: a run that `notify` starts has fail2ban's environment, and would speak for fail2ban's service.

use sd_notify::NotifyState;

/// The daemon is ready.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The daemon reloads its configuration; [`ready`] ends that.
pub(super) fn reloading() {
    // systemd accepts the message without the time too, unless the unit is of Type=notify-reload.
    let at = NotifyState::monotonic_usec_now().ok();
    notify(&[NotifyState::Reloading].into_iter().chain(at).collect::<Vec<_>>());
}

/// The daemon stops.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Does nothing without a service manager; one that cannot be reached will notice by itself.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot notify the service manager: {error}");
    }
}
