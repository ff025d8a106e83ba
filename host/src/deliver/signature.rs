//! The signature of a request, by which a program knows who sent it, when, and whether it has it already: Standard Webhooks.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::SigningKey;

/// Returns the headers of a signed request: the id of the message, the same in each attempt to send it; the time of this attempt,
/// in seconds since 1970; and HMAC-SHA256 of both and the body.
pub(super) fn headers(key: &SigningKey, id: &str, seconds: i64, body: &str) -> [(&'static str, String); 3] {
    // A key of any length is one of HMAC's.
    let signature = Hmac::<Sha256>::new_from_slice(key.expose()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(format!("{id}.{seconds}.{body}").as_bytes());
            BASE64_STANDARD.encode(mac.finalize().into_bytes())
        },
    );
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn headers_are_those_of_the_specification() {
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let found = headers(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(found[0], ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()));
        assert_eq!(found[1], ("webhook-timestamp", "1614265330".to_owned()));
        assert_eq!(found[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
