//! Suggestions for mistyped names.

/// The least similarity, from 0 to 1, of a suggested name. Allows one wrong letter in four, but not another word.
const SIMILARITY: f64 = 0.7;

/// `; did you mean "…"?`, or nothing if no known name is near.
pub fn suggestion(name: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity >= SIMILARITY)
        .map(|(_, candidate)| format!("; did you mean \"{candidate}\"?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestion_distant_name_is_not_suggested() {
        let known = ["jail", "span", "subject"];
        assert_eq!(suggestion("jial", known), "; did you mean \"jail\"?");
        assert_eq!(suggestion("spn", known), "; did you mean \"span\"?");
        assert_eq!(suggestion("country", known), "");
    }
}
