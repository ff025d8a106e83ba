//! Who routes and delivers: how the work lock goes from one process to the next.
//!
//! A `notify` that finds the lock taken relies on its holder and starts nothing. So whoever has held it looks again once it
//! has released it, and then goes on itself, or starts a run. Only a process that fails, and a short run that is stopped,
//! look at nothing: what is left waits for the next event. All of this is written over traits of what it needs of the
//! system, and the tests search every order in which processes may do it.

use banhook_notify::{Handover, ensure_holder};

use crate::daemon::ExitReason;

/// What a process that holds the work lock, or wants it, needs of the system.
pub(super) trait Holder: Handover {
    /// Routes and delivers.
    fn work(&mut self, lock: &Self::Lock) -> Result<ExitReason, Self::Error>;

    /// Releases the lock.
    fn release(&mut self, lock: Self::Lock) -> Result<(), Self::Error>;

    /// Returns whether anything is left that can be done now.
    fn has_work(&mut self) -> Result<bool, Self::Error>;

    /// Asks a short run to release the lock.
    fn request_yield(&mut self) -> Result<(), Self::Error>;

    /// Sleeps for a short time. Returns false if the deadline for the lock has passed.
    fn wait(&mut self) -> Result<bool, Self::Error>;
}

/// Takes the lock, which a short run yields. `None` if another process keeps it.
pub(super) fn take_over<S: Holder>(system: &mut S) -> Result<Option<S::Lock>, S::Error> {
    loop {
        if let Some(lock) = system.try_lock()? {
            return Ok(Some(lock));
        }
        system.request_yield()?;
        if !system.wait()? {
            return Ok(None);
        }
    }
}

/// Works, releases the lock, and has a run do what is left.
pub(super) fn hold<S: Holder>(system: &mut S, lock: S::Lock) -> Result<ExitReason, S::Error> {
    let reason = system.work(&lock)?;
    system.release(lock)?;
    leave_to_run(system)?;
    Ok(reason)
}

/// Has a run do what is left, once the lock is released. Returns whether anything is.
pub(super) fn leave_to_run<S: Holder>(system: &mut S) -> Result<bool, S::Error> {
    let is_left = system.has_work()?;
    if is_left {
        ensure_holder(system)?;
    }
    Ok(is_left)
}

/// Works with the inherited lock, or one that is free, until nothing is left, it is stopped, or another process has the lock.
pub(super) fn hold_until_idle<S: Holder>(system: &mut S, inherited: Option<S::Lock>) -> Result<(), S::Error> {
    let mut next = inherited;
    while let Some(lock) = next.take().map_or_else(|| system.try_lock(), |lock| Ok(Some(lock)))? {
        let reason = system.work(&lock)?;
        system.release(lock)?;
        match reason {
            ExitReason::Idle => {}
            // Whoever asked takes the lock now, or has given up.
            ExitReason::Yielded => {
                system.wait()?;
            }
            _ => break,
        }
        if !system.has_work()? {
            break;
        }
    }
    Ok(())
}

/// Works whenever the lock is free, until nothing is left or the time is up; then has a run do what is left. Returns whether
/// anything was.
pub(super) fn drain<S: Holder>(system: &mut S) -> Result<bool, S::Error> {
    loop {
        if let Some(lock) = system.try_lock()? {
            let reason = system.work(&lock)?;
            system.release(lock)?;
            if reason == ExitReason::Stopped {
                break;
            }
        }
        // Another process that holds the lock delivers as well as this one would.
        if !system.has_work()? || !system.wait()? {
            break;
        }
    }
    leave_to_run(system)
}

#[cfg(test)]
mod tests;
