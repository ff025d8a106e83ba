//! The smallest pieces of a line: words, digits, numbers.

use memchr::memchr;

/// Splits at the first space, and removes the spaces after it.
pub(super) fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    Some((word, rest.trim_ascii_start()))
}

/// Splits off the digits at the beginning.
pub(super) fn digits(line: &[u8]) -> (&[u8], &[u8]) {
    line.split_at(line.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(line.len()))
}

/// Parses up to three digits.
pub(super) fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |sum: u16, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')))
}

/// Returns whether a line goes on like this after `[`: ` 1234.567890] `, or `1234.567890 <    0.001>] `, which is how long a
/// machine has been running.
pub(super) fn is_uptime(rest: &[u8]) -> bool {
    let (seconds, rest) = digits(rest.trim_ascii_start());
    let Some((fraction, rest)) = rest.strip_prefix(b".").map(digits) else { return false };
    !seconds.is_empty() && !fraction.is_empty() && matches!(rest.trim_ascii_start().first(), Some(b']' | b'<'))
}
