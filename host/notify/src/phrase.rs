//! Pieces of the sentences that people read: counted nouns, lists, suggestions for a misspelt word, and quoted texts.

/// Returns `1 message`, `2 messages`.
pub fn counted(count: impl Into<u64>, noun: &str) -> String {
    let count = count.into();
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Returns `90 s`, `5 min`, `26 h` or `3 days`, rounded down.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Returns `a, b and c`, or with another word for the last `and`.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>, and: &str) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {and} {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}

/// Returns `did you mean "jails"?`, if a candidate is near enough to a misspelt word.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean \"{near}\"?"))
}

/// Returns the candidate that a misspelt word most likely stands for.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    // About one slip in three characters.
    let most = |candidate: &str| (length.max(candidate.chars().count()) + 1) / 3;
    candidates
        .into_iter()
        .filter(|candidate| length.abs_diff(candidate.chars().count()) <= most(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= most(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns whether a text may be a webhook's URL, or part of one, under the wrong key.
pub fn may_be_url(text: &str) -> bool {
    ["://", "hooks.slack.com/", "hooks.slack-gov.com/"].iter().any(|mark| text.contains(mark))
}

/// Returns a text on one line, with control characters escaped: an attacker may have written part of it.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => shown.push(' '),
            char if char.is_control() => shown.extend(char.escape_default()),
            char => shown.push(char),
        }
    }
    shown
}

/// Quotes a text from outside for a message: without secrets and control characters, and not too long.
pub fn quoted(text: &str) -> String {
    /// How many characters are shown; more would make the message hard to read.
    const MAX_CHARS: usize = 60;
    if may_be_url(text) {
        return "a URL (not shown)".to_owned();
    }
    let mut shown: String = text.chars().take(MAX_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// Removes the numbers of the system's errors, `(os error 13)`, which say nothing that their words do not.
pub fn without_error_numbers(text: &str) -> String {
    const BEGIN: &str = " (os error ";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        out.push_str(before);
        rest = match after.split_once(')') {
            Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => after,
            _ => {
                out.push_str(BEGIN);
                after
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_one_is_singular() {
        assert_eq!(counted(1_u32, "message"), "1 message");
        assert_eq!(counted(0_u64, "message"), "0 messages");
    }

    #[test]
    fn listed_joins_the_last_with_a_word() {
        assert_eq!(listed(["a", "b", "c"], "and"), "a, b and c");
        assert_eq!(listed(["a", "b"], "or"), "a or b");
        assert_eq!(listed(["a"], "and"), "a");
        assert_eq!(listed([], "and"), "");
    }

    #[test]
    fn nearest_finds_slips_and_no_other_words() {
        const KEYS: [&str; 6] = ["jails", "events", "plugin", "webhook", "name", "url"];
        for (word, near) in [
            ("jial", Some("jails")),
            ("jail", Some("jails")),
            ("Event", Some("events")),
            ("web-hook", Some("webhook")),
            ("us", None),
            ("game", Some("name")),
            ("time", None),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, KEYS), near, "{word}");
        }
    }

    #[test]
    fn without_error_numbers_keeps_the_words() {
        for (text, expected) in [
            ("a: Permission denied (os error 13); run: x", "a: Permission denied; run: x"),
            ("a (os error 2), b (os error 104)", "a, b"),
            ("a (os error x) (os error ", "a (os error x) (os error "),
        ] {
            assert_eq!(without_error_numbers(text), expected);
        }
    }

    #[test]
    fn quoted_hides_urls_escapes_controls_and_cuts() {
        assert_eq!(quoted("https://hooks.slack.com/services/T/B/secret"), "a URL (not shown)");
        assert_eq!(quoted("hooks.slack.com/services/T/B/secret"), "a URL (not shown)");
        assert_eq!(quoted("a\u{1b}[2Jb"), r#""a\u{1b}[2Jb""#);
        assert_eq!(quoted(&"x".repeat(61)), format!("\"{}…\"", "x".repeat(60)));
    }
}
