//! Bytes from outside, as text that stays readable.

use std::borrow::Cow;

/// The longest jail, subject or host that is kept, in bytes; fail2ban's own are far shorter, an attacker's need
/// not be.
pub(crate) const MAX_TEXT_BYTES: usize = 4096;

/// Returns the bytes as text. Bytes that are not UTF-8 become `\xE9`; everything else is verbatim.
pub(crate) fn readable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    Cow::Owned(text)
}

/// Returns the first `bytes` bytes of a text, without a character that would be split.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_shows_invalid_utf8_as_escapes() {
        assert_eq!(readable(b"caf\xe9 \xff\xfe!"), "caf\\xE9 \\xFF\\xFE!");
        assert_eq!(readable("café".as_bytes()), "café");
    }
}
