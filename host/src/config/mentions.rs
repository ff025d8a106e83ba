//! Mentions in the settings of a route that notify nobody: those that the route does not allow, and those that are only text.

use super::reader::Table;

/// What names everybody in other services, and in Slack's own window; with the form that notifies.
const PLAIN: [(&str, &str); 4] =
    [("@here", "<!here>"), ("@channel", "<!channel>"), ("@everyone", "<!everyone>"), ("@all", "<!channel>")];

/// What Slack's mentions begin with.
const SLACK: [&str; 5] = ["<!here", "<!channel", "<!everyone", "<!subteam^", "<@"];

/// Warns of a route's mentions that notify nobody. `templates`: whether its settings are templates, so that `@here` is text.
pub(super) fn warn(route: &Table<'_>, allowed: bool, templates: bool) {
    for (offset, text) in route.written("settings") {
        let warn = |at, message, hint: &str| route.problems.warn(route.file.location(offset + at), message, hint);
        if let Some((at, mention)) = slack_mention(text).filter(|_| !allowed) {
            warn(
                at,
                format!("{mention} notifies nobody: the route does not allow mentions"),
                "add mentions = true to it",
            );
        }
        if let Some((at, plain, form)) = plain_mention(text).filter(|_| templates) {
            let hint = format!("write {form}{}", if allowed { "" } else { ", and add mentions = true to the route" });
            warn(at, format!("{plain} is only text, on every target"), &hint);
        }
    }
}

/// Finds the first mention in Slack's form, and where it is.
fn slack_mention(text: &str) -> Option<(usize, &str)> {
    text.match_indices('<').find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let begin = SLACK.into_iter().find(|begin| rest.starts_with(begin))?;
        let mention = rest.get(..=rest.find('>')?)?;
        let id = mention.get(begin.len()..)?.trim_end_matches('>').split('|').next()?;
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        (is_id || id.is_empty() && begin.starts_with("<!") && !begin.ends_with('^')).then_some((at, mention))
    })
}

/// Finds the first mention that no target takes for one, where it is, and the form that notifies.
fn plain_mention(text: &str) -> Option<(usize, &'static str, &'static str)> {
    let is_word = |character: char| character.is_alphanumeric() || "._-*".contains(character);
    text.match_indices('@').find_map(|(at, _)| {
        let (before, rest) = text.split_at_checked(at)?;
        let (plain, form) = PLAIN.into_iter().find(|(plain, _)| rest.starts_with(plain))?;
        let after = rest.get(plain.len()..)?;
        let ends = !after.starts_with(|next: char| next.is_alphanumeric() || next == '-' || next == '_')
            && !after.strip_prefix('.').is_some_and(|after| after.starts_with(char::is_alphanumeric));
        (ends && !before.ends_with(is_word)).then_some((at, plain, form))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_mention_has_a_known_name_or_an_id() {
        for (text, mention) in [
            ("x <!here> y", "<!here>"),
            ("<!channel|channel>", "<!channel|channel>"),
            ("<https://a.example|a> <@U024BE7LH>", "<@U024BE7LH>"),
            ("<!subteam^S012|@ops>", "<!subteam^S012|@ops>"),
        ] {
            assert_eq!(slack_mention(text).map(|(_, found)| found), Some(mention));
        }
        for other in ["<!date^{{ at }}^{date}|x>", "<@{{ ip }}>", "<!hereafter>", "<@>", "<!subteam^>", "<!here", "<"] {
            assert_eq!(slack_mention(other), None, "{other}");
        }
    }

    #[test]
    fn plain_mention_is_a_word_of_its_own() {
        for (text, at, plain) in [("é @here: x", 3, "@here"), ("@channel", 0, "@channel"), ("(@all.", 1, "@all")] {
            assert_eq!(plain_mention(text).map(|(at, plain, _)| (at, plain)), Some((at, plain)));
        }
        for other in ["root@here", "@hereafter", "@all.example.org", "@", "@**all**", "x@everyone"] {
            assert_eq!(plain_mention(other), None, "{other}");
        }
    }
}
