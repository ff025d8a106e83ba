//! The sanitizer of a plugin's own markup.
//!
//! A plugin should escape foreign values before it puts them into its markup; this is for a plugin that does not. It
//! works in three steps. First, the events' values are searched for, and escaped where they stand unescaped. Second, a
//! `<…>` that begins like one in those values becomes text, so that a value which the plugin cut is no way around.
//! Third, of the rest only the known forms stay, and mentions only where the policy allows them.

use std::borrow::Cow;
use std::cell::OnceCell;

use blockkit::limits::TEXT_MAX;
use blockkit::text::{clean, cut};
use blockkit::token::{Token, escape_entities, first, target_and_label, unescape_entities};
use blockkit::web_url;

use super::escape::{Mrkdwn, neutralize};
use super::values::{EscapedValue, Values};
use crate::event::{Batch, Event};

/// Sanitizes the markup that a plugin wrote about events.
pub struct Sanitizer {
    /// Whether mentions stay: see [`Policy::mentions`](super::Policy::mentions).
    pub(super) mentions: bool,
    /// The events' values that would act as mrkdwn.
    values: Values,
    /// The same for the text of `markdown` blocks; made for the first one, since they are rare.
    in_markdown: OnceCell<Values>,
    /// All of the events' values.
    foreign: Vec<String>,
    /// The values with `<`, `>` or `&`, in the form that [`Sanitizer::is_foreign_angle`] compares.
    written: String,
}

impl Sanitizer {
    /// Returns the sanitizer for messages about these events.
    pub(crate) fn new<'e>(events: impl IntoIterator<Item = &'e Event>, mentions: bool) -> Self {
        Self::of(events.into_iter().flat_map(Event::foreign_values).collect(), mentions)
    }

    /// Returns the sanitizer for messages about a batch.
    pub(crate) fn for_batch(batch: &Batch, mentions: bool) -> Self {
        Self::of(batch.foreign_values().collect(), mentions)
    }

    fn of(mut all: Vec<&str>, mentions: bool) -> Self {
        all.sort_unstable();
        all.dedup();
        let angles = all.iter().filter(|value| value.contains(['&', '<', '>']));
        let written = angles.map(|value| comparable(&clean(value))).collect::<Vec<_>>().join("\n");
        Self {
            mentions,
            values: Values::new(all.iter().copied(), in_mrkdwn),
            in_markdown: OnceCell::new(),
            written,
            foreign: all.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Returns a plugin's markup in which nothing is active but what the plugin itself may write.
    pub(crate) fn mrkdwn(&self, markup: &str) -> Mrkdwn {
        Mrkdwn::sanitized(self.neutralize_angles(&self.values.sanitize(&bounded(markup))))
    }

    /// The same for the text of a `markdown` block, which has its own form of links.
    pub(super) fn markdown(&self, markup: &str) -> String {
        let values = || Values::new(self.foreign.iter().map(String::as_str), in_markdown);
        self.neutralize_angles(&self.in_markdown.get_or_init(values).sanitize(&bounded(markup)))
    }

    /// Returns whether a text holds foreign values that would act as mrkdwn.
    pub(super) fn holds_foreign(&self, text: &str) -> bool {
        self.values.contains(text)
    }

    /// Makes every `<…>` text that may not stay.
    fn neutralize_angles(&self, markup: &str) -> String {
        let mut safe = String::with_capacity(markup.len());
        let mut rest = markup;
        while let Some((before, angle)) = rest.find('<').and_then(|at| rest.split_at_checked(at)) {
            safe.push_str(before);
            let (written, after) = match first(angle) {
                Some((Token::Angle(inner), length)) => {
                    if self.allows(inner) {
                        safe.push_str(angle.get(..length).unwrap_or_default());
                    } else {
                        safe.push_str("&lt;");
                        safe.push_str(inner);
                        safe.push_str("&gt;");
                    }
                    ("", length)
                }
                _ => ("&lt;", 1),
            };
            safe.push_str(written);
            rest = angle.get(after..).unwrap_or_default();
        }
        safe.push_str(rest);
        safe
    }

    /// Returns whether `<inner>` is a form that may stay.
    fn allows(&self, inner: &str) -> bool {
        let (target, _) = target_and_label(inner);
        if inner.contains(['\n', '\t']) || self.is_foreign_angle(&target) {
            return false;
        }
        if let Some(special) = target.strip_prefix('!') {
            return self.allows_special(special);
        }
        if let Some(user) = target.strip_prefix('@') {
            return self.mentions && is_id(user);
        }
        if let Some(channel) = target.strip_prefix('#') {
            return is_id(channel);
        }
        !target.contains(char::is_whitespace) && (web_url(&target).is_some() || target.starts_with("mailto:"))
    }

    /// The same for `<!special>`: a date, or a mention of several people.
    fn allows_special(&self, special: &str) -> bool {
        if let Some(date) = special.strip_prefix("date^") {
            let mut parts = date.split('^');
            let at = parts.next().is_some_and(|at| !at.is_empty() && at.bytes().all(|b| b.is_ascii_digit()));
            let format = parts.next().is_some_and(|format| !format.is_empty());
            let link = parts.next().is_none_or(|link| web_url(link).is_some());
            return at && format && link && parts.next().is_none();
        }
        let group = special.strip_prefix("subteam^").is_some_and(is_id);
        self.mentions && (group || matches!(special, "here" | "channel" | "everyone"))
    }

    /// Returns whether `<target` stands in a foreign value.
    fn is_foreign_angle(&self, target: &str) -> bool {
        self.written.contains(&comparable(&format!("<{target}")))
    }
}

/// Returns how a value is written in mrkdwn; `None`: as it is.
fn in_mrkdwn(raw: &str) -> Option<EscapedValue> {
    if !raw.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>' | b'*' | b'_' | b'~' | b'`' | b':' | b'\n')) {
        return None;
    }
    let (safe, in_code) = (escape_entities(&neutralize(raw)), in_code(raw));
    (safe != raw || in_code != raw).then(|| EscapedValue { safe, in_code, escaped: escape_entities(raw) })
}

/// Returns how a value is written in inline code, which a backtick or a line feed would end.
fn in_code(raw: &str) -> String {
    let escaped = escape_entities(raw);
    if escaped.bytes().any(|byte| matches!(byte, b'`' | b'\n')) {
        escaped.replace('`', "'").replace('\n', " ")
    } else {
        escaped
    }
}

/// Returns how a value is written in standard Markdown, as Slack's `markdown` block takes it: any ASCII punctuation may
/// be escaped. `None`: as it is, since it neither formats nor links.
fn in_markdown(raw: &str) -> Option<EscapedValue> {
    let acts = raw.contains(['&', '<', '>', '[', ']', '!', '@', '`', '\\', '*', '_', '~', '#', '|', '\n'])
        || raw.contains("://")
        || ["www.", "mailto:", "tel:"].iter().any(|start| raw.to_ascii_lowercase().contains(start))
        || neutralize(raw) != raw
        || raw.starts_with(['-', '+', '=', ' ', '\t'])
        || raw.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['.', ')']);
    if !acts {
        return None;
    }
    let mut escaped = String::with_capacity(raw.len());
    for char in raw.chars() {
        match char {
            '&' | '<' | '>' => escaped.push_str(&escape_entities(char.encode_utf8(&mut [0; 4]))),
            // A space instead of a line feed, which could begin a list, a heading or code.
            '\n' | '\t' => escaped.push(' '),
            _ => {
                escaped.extend(char.is_ascii_punctuation().then_some('\\'));
                escaped.push(char);
            }
        }
    }
    Some(EscapedValue { in_code: in_code(raw), safe: escaped.clone(), escaped })
}

/// Cuts and cleans markup.
fn bounded(markup: &str) -> Cow<'_, str> {
    match cut(markup, TEXT_MAX) {
        Cow::Borrowed(markup) => clean(markup),
        Cow::Owned(markup) => Cow::Owned(clean(&markup).into_owned()),
    }
}

/// Returns a form in which text still compares equal after a plugin lower-cased it or escaped a part of it.
fn comparable(text: &str) -> String {
    unescape_entities(text).to_lowercase()
}

/// Returns whether a text is an id of Slack's, like `U024BE7LH`.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::ban;

    fn check(subject: &str, mentions: bool, markup: &str, expected: &str) {
        let sanitizer = Sanitizer::new([&ban(subject)], mentions);
        assert_eq!(sanitizer.mrkdwn(markup).as_str(), expected, "{subject}: {markup}");
    }

    #[test]
    fn mrkdwn_of_the_plugin_itself_stays() {
        for markup in [
            "*bold* <https://example.org/?a=1&amp;b=2|label> &lt;3 a -> b",
            "> quote\n`code`",
            "<!date^1763809015^{date_short} at {time}|then> <#C024BE7LR> <mailto:a@example.org|mail>",
            "",
        ] {
            check("203.0.113.7", false, markup, markup);
        }
    }

    #[test]
    fn mrkdwn_mention_needs_the_policy() {
        for mention in ["!channel", "!here|here", "!everyone", "!subteam^S123|@ops", "@U024BE7LH"] {
            check("x", false, &format!("<{mention}>"), &format!("&lt;{mention}&gt;"));
            check("x", true, &format!("<{mention}>"), &format!("<{mention}>"));
        }
    }

    #[test]
    fn mrkdwn_unknown_form_is_text() {
        for (markup, expected) in [
            ("<b>", "&lt;b&gt;"),
            ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
            ("<!date^x^{date}|y>", "&lt;!date^x^{date}|y&gt;"),
            ("<!date^1^{date}^javascript:x|y>", "&lt;!date^1^{date}^javascript:x|y&gt;"),
            ("a < b", "a &lt; b"),
            ("<https://example.org|a\nb>", "&lt;https://example.org|a\nb&gt;"),
            ("<@U1><!GROUP>", "&lt;@U1&gt;&lt;!GROUP&gt;"),
        ] {
            check("x", false, markup, expected);
        }
    }

    /// Plugins cut values, put them on one line, and change their case.
    #[test]
    fn mrkdwn_changed_value_is_neutralized() {
        const VALUE: &str = " *b* :rotating_light:\n_i_ & <!here>\u{200b} *e* 0123456789 *f*";
        for (markup, expected) in [
            (
                " *b* :rotating_light: _i_ &amp; &lt;!here&gt; *e* 0123456789 *f*",
                " ∗b∗ ∶rotating_light: ˍiˍ &amp; &lt;!here&gt; ∗e∗ 0123456789 ∗f∗",
            ),
            (
                "> *B* :ROTATING_LIGHT: _I_ & <!HERE>\u{fffd} *E*",
                "> ∗B∗ ∶ROTATING_LIGHT: ˍIˍ &amp; &lt;!HERE&gt;\u{fffd} ∗E∗",
            ),
            ("*x* *b* :rotating_light: _i…", "*x* ∗b∗ ∶rotating_light: ˍi…"),
            ("*b* :rotating_light: _i_ &amp; &lt;!he… *x*", "∗b∗ ∶rotating_light: ˍiˍ &amp; &lt;!he… *x*"),
            ("`*b* :rotating_light: _i_` *x*", "`*b* :rotating_light: _i_` *x*"),
            // Not the value.
            ("*b* rotating: *x*", "*b* rotating: *x*"),
        ] {
            check(VALUE, true, markup, expected);
        }
    }

    #[test]
    fn mrkdwn_unescaped_value_is_escaped() {
        const LINK: &str = "<https://evil.example|click>";
        let safe = escape_entities(LINK);
        for (subject, markup, expected) in [
            (LINK, format!("banned *{LINK}*"), format!("banned *{safe}*")),
            // Escaped by the plugin: it stays.
            (LINK, format!("banned *{safe}*"), format!("banned *{safe}*")),
            // Closed by the plugin's own markup.
            (
                "<https://evil.example|x",
                "<https://evil.example|x => banned".into(),
                "&lt;https://evil.example|x => banned".into(),
            ),
            // Only a part of the value.
            ("0 <https://evil.example|click> and more", format!("{LINK} and…"), format!("{safe} and…")),
            // Only a part, closed by the plugin's own markup.
            (
                "0 <https://evil.example|click me",
                "<https://evil.example|cl => x".into(),
                "&lt;https://evil.example|cl =&gt; x".into(),
            ),
            // In the plugin's own link.
            ("a>b", "<https://example.org/a>b|see>".into(), "<https://example.org/a&gt;b|see>".into()),
            // Not the value, though the escaped text contains it.
            ("&a", "x &amp; y".into(), "x &amp; y".into()),
            ("&", "a &amp; b & c".into(), "a &amp; b &amp; c".into()),
            ("&lt;", "&lt;".into(), "&amp;lt;".into()),
            ("&lt;", "&amp;lt;".into(), "&amp;lt;".into()),
        ] {
            check(subject, true, &markup, &expected);
        }
        check("[x](https://evil.example)", false, "[x](https://evil.example)", "[x](https://evil.example)");
        let sanitizer = Sanitizer::new([&ban("[x](https://evil.example)")], false);
        assert_eq!(
            sanitizer.markdown("**[x](https://evil.example)** <!here>"),
            r"**\[x\]\(https\:\/\/evil\.example\)** &lt;!here&gt;"
        );
        check("<!CHANNEL> x", true, "<!channel>", "&lt;!channel&gt;");
        check("\u{1b}<@U1>", true, "\u{1b}<@U1>", "\\u{1b}&lt;@U1&gt;");
    }
}
