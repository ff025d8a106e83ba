//! The names that a configuration gives to routes and webhooks.
//!
//! They appear in `status` and on the command line, so they must need no quoting.

/// The longest name, in characters.
const MAX_CHARS: usize = 64;

/// The rule, as messages state it.
pub(super) const NAME_RULE: &str = "a name of up to 64 letters, digits, \"-\" and \"_\"";

/// Returns whether a text follows [`NAME_RULE`] (ASCII letters only).
pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_name_accepts_ascii_words_only() {
        for good in ["sec", "web-1_b", "A", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a.b", "é", "a/b", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
