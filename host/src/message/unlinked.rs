//! Text in which no program finds a link: with an invisible [`BREAK`] in each URL, domain and mail address, so that a reader
//! sees it unchanged. For services that show plain text, whose apps make links of whatever looks like one.

use super::slack_compatible::BREAK;

/// What is broken in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unlinked {
    /// Characters that begin a name of the service's own, such as a channel's.
    pub(super) signs: &'static str,
    /// Whether an IPv4 address would be a link, too.
    pub(super) addresses: bool,
    /// Whether links are found in code, too.
    pub(super) code: bool,
}

impl Unlinked {
    /// Returns the text between what stands before and after it.
    pub(super) fn of(self, text: &str, before: Option<char>, after: Option<char>) -> String {
        let mut out = String::with_capacity(text.len());
        let mut before = before;
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            out.push(char);
            let next = chars.peek().copied().or(after);
            if self.breaks(before, char, next) {
                out.push(BREAK);
            }
            before = Some(char);
        }
        out
    }

    /// Whether something would be linked by a character between these two.
    fn breaks(self, before: Option<char>, char: char, next: Option<char>) -> bool {
        let follows_word = before.is_some_and(|before| before.is_alphabetic() || before.is_ascii_digit());
        let Some(next) = next.filter(|next| !next.is_whitespace()) else { return false };
        match char {
            // `evil.example`, `www.x`; not `203.0.113.7`.
            '.' => (self.addresses || !next.is_ascii_digit()) && !next.is_ascii_punctuation(),
            // `https://`, `tel:110`; not `2001:db8::1`, nor `10:56`.
            ':' => {
                let hex = |char: char| char.is_ascii_hexdigit() || char == ':';
                next == '/' || before.is_some_and(|before| before.is_ascii_alphabetic() && !(hex(before) && hex(next)))
            }
            '@' => true,
            // A telephone number, whatever stands before it.
            '+' => self.signs.contains('+') && (next.is_numeric() || next == '('),
            // A command; not a path's middle.
            '/' => self.signs.contains('/') && !follows_word && (next.is_alphanumeric() || next == '_'),
            sign => self.signs.contains(sign) && (next.is_alphanumeric() || next == '_'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_links_are_broken_and_addresses_are_not() {
        let unlinked = Unlinked { signs: "#/+", addresses: false, code: true };
        for (text, shown) in [
            ("203.0.113.7 2001:db8::1 10:56:55 ::1", "203.0.113.7 2001:db8::1 10:56:55 ::1"),
            ("see https://evil.example/x", "see https:¤//¤evil.¤example/x"),
            ("www.evil.example. x", "www.¤evil.¤example. x"),
            ("root@evil", "root@¤evil"),
            ("tel:110 mailto:x", "tel:¤110 mailto:¤x"),
            ("x #bans a#b", "x #¤bans a#¤b"),
            ("/start a/b +491 +a", "/¤start a/b +¤491 +a"),
            ("done. Next: 5", "done. Next: 5"),
        ] {
            assert_eq!(unlinked.of(text, None, None).replace(BREAK, "¤"), shown);
        }
        let addresses = Unlinked { addresses: true, ..unlinked };
        assert_eq!(addresses.of("1.2.3.4", None, None).replace(BREAK, "¤"), "1.¤2.¤3.¤4");
        assert_eq!(unlinked.of("evil.", None, Some('e')).replace(BREAK, "¤"), "evil.¤");
    }
}
