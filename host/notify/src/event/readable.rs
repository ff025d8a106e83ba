//! Bytes from outside, as text that stays readable.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The longest jail, subject or host that is kept, in bytes; fail2ban's own are far shorter, an attacker's need
/// not be.
pub const MAX_TEXT_BYTES: usize = 4096;

/// Returns the bytes as text. Bytes that are not UTF-8 become `\xE9`; everything else is verbatim.
pub fn readable(bytes: &[u8]) -> Cow<'_, str> {
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

/// Returns a jail, subject or host as it is kept: a long one is cut, and ends with a hash of the whole, so that two that
/// differ only further on stay two.
pub fn bounded(text: Cow<'_, str>) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.into_owned();
    }
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let [a, b, c, d, e, f, ..] = hash;
    format!("{}…{}", cut(&text, MAX_TEXT_BYTES), hex(&[a, b, c, d, e, f]))
}

/// Returns the first `bytes` bytes of a text, without a character that would be split.
pub fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_long_texts_that_differ_further_on_stay_different() {
        let long = |end: &str| bounded(format!("{}{end}", "é".repeat(MAX_TEXT_BYTES)).into());
        assert_eq!(long("a"), long("a"));
        assert_ne!(long("a"), long("b"));
        assert_eq!(long("a").len(), MAX_TEXT_BYTES + "…".len() + 12);
        let most = "x".repeat(MAX_TEXT_BYTES);
        assert_eq!(bounded(most.as_str().into()), most);
    }

    #[test]
    fn readable_shows_invalid_utf8_as_escapes() {
        assert_eq!(readable(b"caf\xe9 \xff\xfe!"), "caf\\xE9 \\xFF\\xFE!");
        assert_eq!(readable("café".as_bytes()), "café");
    }
}
