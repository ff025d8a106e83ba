//! Slack's names of emoji, as characters.
//!
//! `emoji.tsv` is the list of <https://github.com/iamcal/emoji-data> (16.0.0), which Slack itself uses: each line has a
//! name and its characters, sorted. Crates with GitHub's names lack a third of Slack's.

use std::sync::LazyLock;

static LIST: &str = include_str!("emoji.tsv");

static BY_NAME: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| LIST.lines().filter_map(|line| line.split_once('\t')).collect());

/// Returns the characters of an emoji like `no_entry` or `thumbsup::skin-tone-2`; `None` for a workspace's own.
#[must_use]
pub fn by_name(name: &str) -> Option<String> {
    let (base, tone) = match name.split_once("::") {
        Some((base, tone)) => (base, Some(listed(tone).filter(|_| tone.starts_with("skin-tone-"))?)),
        None => (name, None),
    };
    let mut characters = listed(base)?.to_owned();
    if let Some(tone) = tone {
        // A tone replaces the variation selector.
        let plain = characters.trim_end_matches('\u{fe0f}').len();
        characters.truncate(plain);
        characters.push_str(tone);
    }
    Some(characters)
}

fn listed(name: &str) -> Option<&'static str> {
    let at = BY_NAME.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
    BY_NAME.get(at).map(|(_, characters)| *characters)
}

/// Returns whether Slack accepts `name` as an emoji's: `no_entry`, `+1`, `flag-de`, `thumbsup::skin-tone-2`. Not `_a_`,
/// which could also be italics.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let (base, tone) = name.split_once("::skin-tone-").unwrap_or((name, "1"));
    (1..=100).contains(&name.len())
        && !base.is_empty()
        && !base.contains(':')
        && tone.len() == 1
        && tone != ":"
        && !name.starts_with('_')
        && !name.ends_with('_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_+-':".contains(&b))
}

/// Returns the name in `:name:` at the start of `text`, and its length in bytes with the colons.
#[must_use]
pub fn at_start(text: &str) -> Option<(&str, usize)> {
    let rest = text.strip_prefix(':')?;
    let (base, after) = rest.split_once(':')?;
    let name = match after.strip_prefix(":skin-tone-").and_then(|after| after.split_once(':')) {
        Some((tone, _)) if tone.len() == 1 => rest.get(..base.len() + ":".len() + ":skin-tone-".len() + tone.len())?,
        _ => base,
    };
    (is_name(name) && name.bytes().any(|b| b.is_ascii_alphanumeric())).then_some((name, name.len() + 2))
}

/// Returns whether the colon at the start of `text` may begin an emoji in any chat: the characters of names differ.
#[must_use]
pub fn might_begin(text: &str) -> bool {
    let Some(after) = text.strip_prefix(':') else { return false };
    let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "_+-.'".contains(c))).unwrap_or(after.len());
    let closed = after.get(end..).is_some_and(|rest| rest.starts_with(':'));
    let name = after.get(..end).filter(|name| closed && name.bytes().any(|b| b.is_ascii_alphanumeric()));
    name.is_some_and(|name| !name.bytes().all(|b| b.is_ascii_hexdigit()) || listed(&name.to_lowercase()).is_some())
}

/// Returns whether Slack shows `:name:` at the start of `text` as an emoji. A hexadecimal name, as in `2001:db8::1`, counts
/// only if it is in the list, so that addresses stay intact.
#[must_use]
pub fn acts_at_start(text: &str) -> bool {
    at_start(text).is_some_and(|(name, _)| !name.bytes().all(|b| b.is_ascii_hexdigit()) || listed(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_sorted_and_every_line_is_an_emoji() {
        assert!(BY_NAME.is_sorted());
        assert_eq!(BY_NAME.len(), LIST.lines().count());
        assert!(BY_NAME.iter().all(|(name, characters)| is_name(name) && !characters.is_empty()));
    }

    #[test]
    fn by_name_of_slacks_names_returns_their_characters() {
        for (name, characters) in [
            ("no_entry", Some("⛔")),
            ("robot_face", Some("🤖")),
            ("large_green_circle", Some("🟢")),
            ("black_square_for_stop", Some("⏹️")),
            ("flag-de", Some("🇩🇪")),
            ("+1", Some("👍")),
            ("+1::skin-tone-4", Some("👍🏽")),
            ("cop::nope", None),
            ("partyparrot", None),
        ] {
            assert_eq!(by_name(name).as_deref(), characters, "{name}");
        }
    }

    #[test]
    fn at_start_finds_names_between_colons() {
        for (text, name) in [
            (":no_entry: x", Some("no_entry")),
            (":+1::skin-tone-2:", Some("+1::skin-tone-2")),
            ("::", None),
            (":a b:", None),
            (":x", None),
        ] {
            assert_eq!(at_start(text).map(|(name, _)| name), name, "{text}");
        }
    }

    #[test]
    fn acts_at_start_of_an_address_is_false() {
        for (text, acts) in [(":db8:", false), (":100:", true), (":skull:", true), (":nope:", true), (":56:55", false)]
        {
            assert_eq!(acts_at_start(text), acts, "{text}");
        }
    }
}
