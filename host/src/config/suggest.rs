//! "did you mean …": the nearest of the words that would have been right.

/// The candidate that a mistyped word most likely stood for, if any is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            // About one slip in three characters.
            let length = word.chars().count().max(candidate.chars().count());
            *distance <= (length + 1) / 3
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "jails"?`
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean \"{near}\"?"))
}

/// `a, b and c`, or with another word for the last `and`.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, and: &str) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {and} {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
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
    fn lists() {
        assert_eq!(listed(["a", "b", "c"], "and"), "a, b and c");
        assert_eq!(listed(["a", "b"], "or"), "a or b");
        assert_eq!(listed(["a"], "and"), "a");
    }
}
