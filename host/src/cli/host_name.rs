//! The name of this host, for events that name none.

/// Returns the host name as the system has it.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
