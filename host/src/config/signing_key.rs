//! The key that a webhook's requests are signed with: a secret that no message or log may show.

use std::fmt;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::reader::Table;
use super::secret_source::{self, Env, SIGNING_KEY};

/// A key of HMAC. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningKey(Vec<u8>);

/// The form that Standard Webhooks gives a key.
const PREFIX: &str = "whsec_";
/// Bytes of a key, as Standard Webhooks recommends them.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

impl SigningKey {
    /// Reads the key of a webhook, if it has one, and the file that contains it, if one does; reports what is wrong with it.
    pub(super) fn read(table: &Table<'_>, env: Env<'_>) -> Option<(Self, Option<PathBuf>)> {
        if !SIGNING_KEY.are_in(table) {
            return None;
        }
        let secret = secret_source::read(table, &SIGNING_KEY, env)?;
        let Some(key) = Self::parse(&secret.text) else {
            let place = secret.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
            let message = format!("signing_key: {place}expected {PREFIX} and 24 to 64 bytes in Base64");
            table.problems.report_with(secret.location, message, "make one: echo whsec_$(openssl rand -base64 32)");
            return None;
        };
        Some((key, secret.file))
    }

    /// Parses a key (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let key = BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        BYTES.contains(&key.len()).then_some(Self(key))
    }

    /// Returns the key, for the caller that signs.
    #[must_use]
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_takes_the_form_of_standard_webhooks_only() {
        let key = SigningKey::parse("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz").unwrap();
        assert_eq!(key.expose(), b"012345678901234567890123");
        assert_eq!(format!("{key:?}"), "SigningKey(***)");
        for text in ["", "whsec_", "whsec_MDEyMzQ1", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_#"] {
            assert_eq!(SigningKey::parse(text), None, "{text}");
        }
    }
}
