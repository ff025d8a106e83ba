//! Links: only a URL that parses as http or https becomes one.

use blockkit::text::one_line;
use blockkit::web_url;

use super::escape::{Mrkdwn, escape};
use super::model::Link;

impl Link {
    /// Returns the text that is shown: the label on one line, or the URL if there is none.
    pub(super) fn shown(&self) -> String {
        self.label().unwrap_or_else(|| one_line(&self.url))
    }

    /// Returns the label on one line, if there is one that shows something.
    pub(super) fn label(&self) -> Option<String> {
        self.label.as_deref().map(one_line).filter(|label| !label.trim().is_empty())
    }

    /// Returns the link as markup; its text only, if the URL is not http or https.
    pub(super) fn to_mrkdwn(&self) -> Mrkdwn {
        let Some(url) = web_url(&self.url) else { return escape(&self.shown()) };
        // A bar would end the URL, and one in the label would end the label for some readers.
        let target = escape(&url.as_str().replace('|', "%7C"));
        let mut link = Mrkdwn::literal("<");
        link.push(&target);
        if let Some(label) = self.label() {
            link.push(&Mrkdwn::literal("|"));
            link.push(&escape(&label.replace('|', "¦")));
        }
        link.push(&Mrkdwn::literal(">"));
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::model::Style;

    #[test]
    fn to_mrkdwn_other_scheme_is_text() {
        for (label, url, markup) in [
            ("it", "https://example.org/?a=1&b=2", "<https://example.org/?a=1&amp;b=2|it>"),
            ("", "https://example.org/", "<https://example.org/>"),
            ("a|b\nc", "https://example.org/x|y>z", "<https://example.org/x%7Cy%3Ez|a¦b c>"),
            ("<b>", "http://example.org", "<http://example.org/|&lt;b&gt;>"),
            ("click", "javascript:alert(1)", "click"),
            ("", "file:///etc/passwd", "file:///etc/passwd"),
            ("!channel", "!channel", "!channel"),
            ("x", "https://", "x"),
        ] {
            let (label, url) = (Some(label.to_owned()), url.to_owned());
            let link = Link { label, url: url.clone(), style: Style::default() };
            assert_eq!(link.to_mrkdwn().as_str(), markup, "{url}");
        }
    }
}
