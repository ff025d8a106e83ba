//! Which jails a route takes its events from.

use std::fmt;

/// A pattern that cannot be compiled; shows which one and why.
pub use globset::Error as JailPatternError;
use globset::{Glob, GlobSet, GlobSetBuilder};

/// Patterns over jail names, as in a shell: `*`, `?`, `[abc]`, `{a,b}`.
///
/// A jail's name is text and no path: `*` also matches `/`, and case counts.
#[derive(Clone)]
pub struct Jails(Option<Patterns>);

#[derive(Clone)]
struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

impl Jails {
    /// Every jail.
    #[must_use]
    pub const fn all() -> Self {
        Self(None)
    }

    /// The jails that match one of the patterns at least.
    ///
    /// # Errors
    /// The first pattern that is malformed.
    pub fn matching(patterns: Vec<String>) -> Result<Self, JailPatternError> {
        let mut set = GlobSetBuilder::new();
        for pattern in &patterns {
            set.add(Glob::new(pattern)?);
        }
        Ok(Self(Some(Patterns { set: set.build()?, texts: patterns })))
    }

    /// Whether a jail is one of them.
    #[must_use]
    pub fn contains(&self, jail: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.set.is_match(jail))
    }

    /// The patterns as they were written; `None` for all jails.
    #[must_use]
    pub fn patterns(&self) -> Option<&[String]> {
        self.0.as_ref().map(|patterns| patterns.texts.as_slice())
    }
}

impl PartialEq for Jails {
    fn eq(&self, other: &Self) -> bool {
        self.patterns() == other.patterns()
    }
}

impl fmt::Debug for Jails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The compiled set would fill a screen.
        f.debug_tuple("Jails").field(&self.patterns()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, jail, matches) in [
            ("sshd", "sshd", true),
            ("sshd", "sshd2", false),
            ("sshd", "SSHD", false),
            ("nginx-*", "nginx-http-auth", true),
            ("nginx-*", "nginx", false),
            ("*", "any thing/at all.", true),
            ("*", "..", true),
            ("web/*", "web/a/b c", true),
            ("*.local", "a/b.local", true),
            ("*.", "a.", true),
            ("{sshd,dovecot}", "dovecot", true),
            ("jail[0-9]", "jail7", true),
        ] {
            let jails = Jails::matching(vec![pattern.to_owned()]).unwrap();
            assert_eq!(jails.contains(jail), matches, "{pattern} on {jail}");
        }
        assert!(Jails::all().contains("x"));
        assert!(Jails::matching(vec!["a[".to_owned()]).is_err());
    }
}
