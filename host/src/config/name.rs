//! The names that a configuration gives to routes and webhooks.
//!
//! They stand in `status`, in metrics and on the command line, so they need no quoting anywhere.

/// In characters.
const LONGEST: usize = 64;

/// The rule, for messages.
pub(super) const NAME_RULE: &str = "a name of up to 64 letters, digits, \"-\" and \"_\"";

/// Whether a text follows [`NAME_RULE`] (ASCII letters only).
pub(super) fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["sec", "web-1_b", "A", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a.b", "é", "a/b", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
