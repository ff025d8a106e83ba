//! A session in a terminal: commands after `$ `, each followed by its output.

/// Any text within a line, or any lines.
const ELLIPSIS: &str = "…";

/// A command and its expected output.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub command: String,
    expected: Vec<String>,
}

/// Splits a session into its steps. A command continues on lines that begin with `> `.
pub fn steps(session: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for line in session.lines() {
        match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), ..) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
            (_, Some(more), Some(step)) if step.expected.is_empty() => {
                step.command.push('\n');
                step.command.push_str(more);
            }
            (.., Some(step)) => step.expected.push(line.trim_end().to_owned()),
            (.., None) => return Err(format!("a session begins with `$ COMMAND`, not with {line:?}")),
        }
    }
    match steps.is_empty() {
        true => Err("a session without a command".to_owned()),
        false => Ok(steps),
    }
}

impl Step {
    /// Compares the expected output with the actual one. `…` on a line of its own matches any lines, and within a line any
    /// text. Only a command whose output is shown may fail.
    pub fn check(&self, code: Option<i32>, output: &str) -> Result<(), String> {
        let actual: Vec<_> = output.trim_end().lines().map(str::trim_end).collect();
        let expected: Vec<_> = self.expected.iter().map(String::as_str).collect();
        let expected = trimmed(&expected);
        if !lines_match(expected, &actual) {
            let hint = if expected.is_empty() { "\n(a line `…` matches any output)" } else { "" };
            return Err(format!(
                "$ {}\n--- expected\n{}\n--- actual\n{}{hint}",
                self.command,
                expected.join("\n"),
                actual.join("\n")
            ));
        }
        match code {
            Some(0) => Ok(()),
            _ if expected.iter().any(|line| *line != ELLIPSIS) => Ok(()),
            code => Err(format!("$ {}\nexit code {code:?}\n{output}", self.command)),
        }
    }
}

fn trimmed<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    &lines[..end]
}

fn lines_match(expected: &[&str], actual: &[&str]) -> bool {
    match expected {
        [] => actual.is_empty(),
        [first, rest @ ..] if *first == ELLIPSIS => (0..=actual.len()).any(|skip| lines_match(rest, &actual[skip..])),
        [first, rest @ ..] => {
            actual.split_first().is_some_and(|(line, more)| line_matches(first, line) && lines_match(rest, more))
        }
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let Some((first, rest)) = expected.split_once(ELLIPSIS) else { return expected == actual };
    let Some(mut actual) = actual.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once(ELLIPSIS).map_or((None, rest), |(middle, last)| (Some(middle), last));
    for piece in middle.into_iter().flat_map(|middle| middle.split(ELLIPSIS)) {
        match actual.split_once(piece) {
            _ if piece.is_empty() => {}
            Some((_, after)) => actual = after,
            None => return false,
        }
    }
    actual.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(session: &str, code: i32, output: &str) -> bool {
        steps(session).unwrap()[0].check(Some(code), output).is_ok()
    }

    #[test]
    fn session_is_split_at_its_commands() {
        let step = |command: &str, expected: &[&str]| {
            let expected = expected.iter().map(|line| (*line).to_owned()).collect();
            Step { command: command.to_owned(), expected }
        };
        let found = steps("$ a \\\n> b\none\n> two\n\n$ c\n").unwrap();
        assert_eq!(found, [step("a \\\nb", &["one", "> two", ""]), step("c", &[])]);
        assert!(steps("one\n$ a\n").is_err());
        assert!(steps("").is_err());
    }

    #[test]
    fn output_has_to_be_the_expected_one() {
        assert!(checked("$ a\none\ntwo\n\n", 0, "one  \ntwo\n"));
        for output in ["", "one\n", "one\ntwo\nthree\n", "one\n\ntwo\n", "One\ntwo\n"] {
            assert!(!checked("$ a\none\ntwo\n", 0, output), "{output:?}");
        }
        assert!(checked("$ a\n", 0, ""));
        assert!(!checked("$ a\n", 0, "one"));
    }

    #[test]
    fn ellipsis_on_its_own_line_matches_any_lines() {
        for output in ["one\ntwo", "one\n1\n2\ntwo", "one\ntwo\ntwo"] {
            assert!(checked("$ a\none\n…\ntwo\n", 0, output), "{output:?}");
        }
        for output in ["one", "one\ntwo\n3", "0\none\ntwo"] {
            assert!(!checked("$ a\none\n…\ntwo\n", 0, output), "{output:?}");
        }
        assert!(checked("$ a\n…\n", 0, "") && checked("$ a\n…\n", 0, "one\ntwo"));
    }

    #[test]
    fn ellipsis_in_a_line_matches_any_text() {
        for (line, output, expected) in [
            ("a … c", "a b c", true),
            ("a … c", "a  c", true),
            ("a … c", "a b d", false),
            ("…c", "abc", true),
            ("a…", "abc", true),
            ("a…b…c", "a1b2c", true),
            ("a…b…c", "a1c", false),
            ("a…a", "a", false),
            ("a…", "b", false),
        ] {
            assert_eq!(checked(&format!("$ a\n{line}\n"), 0, output), expected, "{line:?} {output:?}");
        }
    }

    #[test]
    fn command_may_fail_only_where_its_output_is_shown() {
        assert!(checked("$ a\nerror: no\n", 1, "error: no"));
        assert!(!checked("$ a\n…\n", 1, "error: no"));
        assert!(!checked("$ a\n", 1, ""));
    }
}
