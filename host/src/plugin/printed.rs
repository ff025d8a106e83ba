//! What a plugin printed before it trapped, in a line: the language's own account of a failure, without what follows it.

/// What Rust prints after a panic's message, and CPython's and other runtimes with it.
const NOTES: [&str; 2] = ["note: run with `RUST_BACKTRACE", "note: Some details are omitted"];

/// What a traceback of Python begins with.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// Begins the line of a panic in Rust that says where it was.
const PANICKED: &str = " panicked at ";

/// Returns the line that says what failed: the exception of a traceback in Python with the place that raised it, the
/// message of a panic in Rust with its place, or else the last line.
pub(super) fn summary(printed: &str) -> String {
    let lines: Vec<_> = printed.lines().map(str::trim_end).filter(|line| !is_noise(line)).collect();
    exception(&lines).or_else(|| panic(&lines)).unwrap_or_else(|| lines.last().copied().unwrap_or_default().to_owned())
}

fn is_noise(line: &str) -> bool {
    line.is_empty() || NOTES.iter().any(|note| line.starts_with(note))
}

/// `TypeError: 'int' object is not iterable (app.py, line 12)`
fn exception(lines: &[&str]) -> Option<String> {
    let begin = lines.iter().rposition(|line| *line == TRACEBACK)?;
    let traceback = lines.get(begin + 1..)?;
    let end = traceback.iter().position(|line| !line.starts_with(' '))?;
    let raised = traceback.get(end)?;
    let place = traceback.get(..end)?.iter().rev().find_map(|line| {
        let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
        let number = rest.split(',').next()?;
        Some(format!(" ({}, line {number})", file.rsplit('/').next()?))
    });
    Some(format!("{raised}{}", place.unwrap_or_default()))
}

/// `index out of bounds (src/lib.rs:12:5)`
fn panic(lines: &[&str]) -> Option<String> {
    let begin = lines.iter().rposition(|line| line.contains(PANICKED))?;
    let (_, place) = lines.get(begin)?.split_once(PANICKED)?;
    let message = lines.get(begin + 1)?;
    Some(format!("{message} ({})", place.trim_end_matches(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_is_what_the_language_says_of_the_failure() {
        let traceback = "Traceback (most recent call last):\n  File \"/0/app.py\", line 4, in format\n    \
                         return helper()\n           ^^^^^^\n  File \"/0/words.py\", line 12, in helper\n    x.y\n\
                         AttributeError: 'int' object has no attribute 'y'\n";
        let note = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        let exception = "AttributeError: 'int' object has no attribute 'y' (words.py, line 12)";
        for (printed, expected) in [
            (traceback.to_owned(), exception),
            (
                format!("a\n{traceback}\nthread '<unnamed>' panicked at src/lib.rs:1:2:\nunexpected\n{note}\n"),
                exception,
            ),
            (
                format!("thread 'main' (1) panicked at src/lib.rs:7:9:\nno such ban\n{note}\n\n"),
                "no such ban (src/lib.rs:7:9)",
            ),
            ("first\nlast\n".to_owned(), "last"),
            (format!("said\n{note}"), "said"),
            (note.to_owned(), ""),
            (format!("{TRACEBACK}\n  File"), "  File"),
            (String::new(), ""),
        ] {
            assert_eq!(summary(&printed), expected, "{printed}");
        }
    }
}
