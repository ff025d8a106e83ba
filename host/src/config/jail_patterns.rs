//! `jails` of a route: patterns over the names of jails, and what in them is probably a mistake.

use std::fmt;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::phrase::nearest;

/// What a pattern begins with that excludes the jails that it matches.
const EXCLUDES: char = '!';

/// Patterns over jail names, as in a shell: `*`, `?`, `[abc]`, `{a,b}`; with `!` before them they exclude.
///
/// A jail's name is text, not a path: `*` also matches `/`, and case matters. The order of the patterns does not.
#[derive(Clone)]
pub(crate) struct JailPatterns(Option<Patterns>);

#[derive(Clone)]
struct Patterns {
    texts: Vec<String>,
    /// `None`: all patterns exclude, so every other jail matches.
    included: Option<GlobSet>,
    excluded: GlobSet,
}

/// A malformed pattern, and why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JailPatternError {
    /// It has no character, or only a `!`.
    #[error("it is empty")]
    Empty,
    /// It is not a glob.
    #[error("{}", .0.kind())]
    Glob(#[from] globset::Error),
}

impl JailPatterns {
    /// Matches every jail.
    #[must_use]
    pub(crate) const fn all() -> Self {
        Self(None)
    }

    /// Matches the jails that any of the patterns matches, and none that begins with `!`; if all begin with `!`, all jails
    /// but those.
    ///
    /// # Errors
    /// The first pattern that is malformed.
    pub(crate) fn parse(patterns: Vec<String>) -> Result<Self, JailPatternError> {
        let (mut included, mut excluded) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut includes = false;
        for pattern in &patterns {
            let (set, glob) = match pattern.strip_prefix(EXCLUDES) {
                Some(glob) => (&mut excluded, glob),
                None => {
                    includes = true;
                    (&mut included, pattern.as_str())
                }
            };
            if glob.is_empty() {
                return Err(JailPatternError::Empty);
            }
            set.add(Glob::new(glob)?);
        }
        let included = if includes { Some(included.build()?) } else { None };
        Ok(Self(Some(Patterns { included, excluded: excluded.build()?, texts: patterns })))
    }

    /// Returns whether a jail matches.
    #[must_use]
    pub(crate) fn matches(&self, jail: &str) -> bool {
        let Some(Patterns { included, excluded, .. }) = &self.0 else { return true };
        included.as_ref().is_none_or(|included| included.is_match(jail)) && !excluded.is_match(jail)
    }

    /// Returns whether they plainly match every jail.
    #[must_use]
    pub(super) fn match_all(&self) -> bool {
        let Some(patterns) = self.patterns() else { return true };
        let excludes = |pattern: &String| pattern.starts_with(EXCLUDES);
        patterns.iter().any(|pattern| pattern == "*") && !patterns.iter().any(excludes)
    }

    /// Returns the patterns that match none of these jails, and yet nearly match one, with it: those of another case, and
    /// misspelt ones.
    #[must_use]
    pub(crate) fn near_misses<'a>(&self, jails: &'a [String]) -> Vec<(&str, &'a str)> {
        let mut misses = Vec::new();
        for pattern in self.patterns().unwrap_or_default() {
            let glob = pattern.strip_prefix(EXCLUDES).unwrap_or(pattern);
            let first = |ignore_case| {
                let glob = GlobBuilder::new(glob).case_insensitive(ignore_case).build().ok()?.compile_matcher();
                jails.iter().map(String::as_str).find(|jail| glob.is_match(jail))
            };
            if first(false).is_none()
                && let Some(near) = first(true).or_else(|| nearest(glob, jails.iter().map(String::as_str)))
            {
                misses.push((pattern.as_str(), near));
            }
        }
        misses
    }

    /// Returns the patterns as they were written; `None` for all jails.
    #[must_use]
    pub(crate) fn patterns(&self) -> Option<&[String]> {
        self.0.as_ref().map(|patterns| patterns.texts.as_slice())
    }
}

/// Returns what in a pattern is probably a mistake, and what to do about it: such a pattern is valid and matches no jail.
pub(super) fn suspicion(pattern: &str) -> Option<(&'static str, String)> {
    let glob = pattern.strip_prefix(EXCLUDES).unwrap_or(pattern);
    let outside_braces = glob.split(['{', '}']).step_by(2);
    if outside_braces.clone().any(|part| part.contains(',')) {
        let parts: Vec<_> = pattern.split(',').map(|part| format!("\"{}\"", part.trim())).collect();
        return Some((
            "is one pattern, and jails have no commas in their names",
            format!("write {}", parts.join(", ")),
        ));
    }
    if glob.trim() != glob || glob.starts_with(EXCLUDES) {
        let bare = glob.trim_start_matches(|c: char| c.is_whitespace() || c == EXCLUDES).trim_end();
        let sign = if bare.len() < pattern.trim_end().len() && pattern.contains(EXCLUDES) { "!" } else { "" };
        return Some(("has a space or a second \"!\" around the name", format!("write \"{sign}{bare}\"")));
    }
    // Other programs exclude with these.
    if let Some(bare) = pattern.strip_prefix(['-', '~']).filter(|bare| !bare.is_empty()) {
        return Some(("excludes nothing: only \"!\" does", format!("write \"!{bare}\"")));
    }
    let is_regex = glob.contains('|') || glob.contains(".*") || glob.starts_with('^') || glob.ends_with('$');
    is_regex.then(|| {
        let hint = "patterns are as in a shell: \"*\" for any text, \"{a,b}\" for a or b";
        ("looks like a regular expression", hint.to_owned())
    })
}

impl PartialEq for JailPatterns {
    fn eq(&self, other: &Self) -> bool {
        self.patterns() == other.patterns()
    }
}

impl fmt::Debug for JailPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The compiled sets would fill a screen.
        f.debug_tuple("JailPatterns").field(&self.patterns()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(patterns: &[&str]) -> Result<JailPatterns, JailPatternError> {
        JailPatterns::parse(patterns.iter().map(|pattern| (*pattern).to_owned()).collect())
    }

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
            ("[!a]b", "xb", true),
            ("\\!a", "!a", true),
        ] {
            assert_eq!(parse(&[pattern]).unwrap().matches(jail), matches, "{pattern} on {jail}");
        }
        assert!(JailPatterns::all().matches("x"));
    }

    #[test]
    fn matches_excluded_jails_in_no_order_of_the_patterns() {
        for (patterns, matching, others) in [
            (&["*", "!nginx-*"][..], &["sshd", "nginx"][..], &["nginx-auth"][..]),
            (&["!nginx-*", "*"], &["sshd"], &["nginx-auth"]),
            (&["!nginx-*"], &["sshd"], &["nginx-auth"]),
            (&["!a", "!b*"], &["c", "aa"], &["a", "b", "bb"]),
            (&["nginx-*", "!nginx-bot*", "sshd"], &["nginx-auth", "sshd"], &["nginx-botsearch", "dovecot"]),
            (&["!{a,b}", "*"], &["c"], &["a", "b"]),
            (&["sshd", "!sshd"], &[], &["sshd", "x"]),
        ] {
            let jails = parse(patterns).unwrap();
            assert!(matching.iter().all(|jail| jails.matches(jail)), "{patterns:?}");
            assert!(!others.iter().any(|jail| jails.matches(jail)), "{patterns:?}");
        }
    }

    #[test]
    fn parse_rejects_malformed_and_empty_patterns() {
        for bad in ["a[", "!a[", "", "!"] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn suspicion_names_what_matches_no_jail() {
        for (pattern, hint) in [
            ("sshd,nginx-*", r#"write "sshd", "nginx-*""#),
            ("!sshd, dovecot", r#"write "!sshd", "dovecot""#),
            (" sshd", r#"write "sshd""#),
            ("sshd ", r#"write "sshd""#),
            ("! sshd", r#"write "!sshd""#),
            ("!!sshd", r#"write "!sshd""#),
            ("-sshd", r#"write "!sshd""#),
            ("~nginx-*", r#"write "!nginx-*""#),
            ("sshd|nginx", "{a,b}"),
            ("nginx-.*", "\"*\""),
            ("^nginx", "shell"),
        ] {
            let (_, found) = suspicion(pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert!(found.contains(hint), "{pattern}: {found}");
        }
        for good in ["sshd", "!nginx-*", "{a,b}", "!{a,b}-{c,d}", "web app", "a.b", "[!a]*", "*"] {
            assert!(suspicion(good).is_none(), "{good}");
        }
    }
}
