//! `jails` of a route: patterns over the names of jails.

use std::fmt;

/// A malformed pattern; shows which one and why.
pub(crate) use globset::Error as JailPatternError;
use globset::{Glob, GlobSet, GlobSetBuilder};

/// Patterns over jail names, as in a shell: `*`, `?`, `[abc]`, `{a,b}`.
///
/// A jail's name is text, not a path: `*` also matches `/`, and case matters.
#[derive(Clone)]
pub(crate) struct JailPatterns(Option<Patterns>);

#[derive(Clone)]
struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

impl JailPatterns {
    /// Matches every jail.
    #[must_use]
    pub(crate) const fn all() -> Self {
        Self(None)
    }

    /// Matches the jails that any of the patterns matches.
    ///
    /// # Errors
    /// The first pattern that is malformed.
    pub(crate) fn parse(patterns: Vec<String>) -> Result<Self, JailPatternError> {
        let mut set = GlobSetBuilder::new();
        for pattern in &patterns {
            set.add(Glob::new(pattern)?);
        }
        Ok(Self(Some(Patterns { set: set.build()?, texts: patterns })))
    }

    /// Returns whether a jail matches.
    #[must_use]
    pub(crate) fn matches(&self, jail: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.set.is_match(jail))
    }

    /// Returns the patterns as they were written; `None` for all jails.
    #[must_use]
    pub(crate) fn patterns(&self) -> Option<&[String]> {
        self.0.as_ref().map(|patterns| patterns.texts.as_slice())
    }
}

impl PartialEq for JailPatterns {
    fn eq(&self, other: &Self) -> bool {
        self.patterns() == other.patterns()
    }
}

impl fmt::Debug for JailPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The compiled set would fill a screen.
        f.debug_tuple("JailPatterns").field(&self.patterns()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_globs_as_a_shell_does() {
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
            let jails = JailPatterns::parse(vec![pattern.to_owned()]).unwrap();
            assert_eq!(jails.matches(jail), matches, "{pattern} on {jail}");
        }
        assert!(JailPatterns::all().matches("x"));
        assert!(JailPatterns::parse(vec!["a[".to_owned()]).is_err());
    }
}
