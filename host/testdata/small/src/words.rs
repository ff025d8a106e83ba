//! The line itself. The benchmark calls it natively, too, to tell what the sandbox costs.

/// `[sshd] banned 203.0.113.7 after 5 failures`
pub fn banned(jail: &str, subject: &str, failures: Option<u32>) -> String {
    match failures {
        Some(failures) => format!("[{jail}] banned {subject} after {failures} failures"),
        None => format!("[{jail}] banned {subject}"),
    }
}
