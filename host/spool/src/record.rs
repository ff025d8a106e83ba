//! The format of a record: one line, with an empty line before it, so that a record that was cut off never swallows the next.
//!
//! ```text
//! LF VERSION SP LENGTH SP CHECKSUM SP PAYLOAD LF
//! ```
//!
//! `VERSION` is that of the payload, and `LENGTH` the payload's number of bytes, both decimal. `CHECKSUM` is the CRC-32 of
//! everything before it and of the payload, in eight hexadecimal digits. The payload has no line feed. This framing never
//! changes: a reader of any age finds the records of any other, and leaves those of a version that it does not know.

use std::ops::Range;

use memchr::memchr;

/// The largest record, with its framing, in bytes. A longer line is damage.
pub const MAX_BYTES: usize = 1 << 20;

/// The payload cannot be a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPayload;

impl std::fmt::Display for InvalidPayload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "a record has at most {MAX_BYTES} bytes and no line feed")
    }
}

impl std::error::Error for InvalidPayload {}

/// Returns the bytes of a record.
///
/// # Errors
/// If the payload has a line feed or is too long.
pub fn encode(version: u32, payload: &[u8]) -> Result<Vec<u8>, InvalidPayload> {
    let prefix = format!("{version} {} ", payload.len());
    let line = format!("\n{prefix}{:08x} ", checksum(prefix.as_bytes(), payload));
    if memchr(b'\n', payload).is_some() || line.len() + payload.len() >= MAX_BYTES {
        return Err(InvalidPayload);
    }
    let mut record = Vec::with_capacity(line.len() + payload.len() + 1);
    record.extend_from_slice(line.as_bytes());
    record.extend_from_slice(payload);
    record.push(b'\n');
    Ok(record)
}

fn checksum(prefix: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(prefix);
    hasher.update(payload);
    hasher.finalize()
}

/// What a segment has from one place on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A whole record.
    Record {
        /// The version of its payload.
        version: u32,
        /// Where its payload is.
        payload: Range<usize>,
    },
    /// A line that is no record: it was cut off, or changed.
    Damaged(Range<usize>),
}

/// Reads the items of a piece of a segment, each with the place after it. Ends before a line that is not complete.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Items<'a> {
    /// Reads `bytes` from their beginning, which is that of a line.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the place after the last item; before it, nothing has to be read again.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.at
    }
}

impl Iterator for Items<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let rest = self.bytes.get(self.at..)?;
        // Blocks that were allocated and never written before the power failed are NULs.
        let skipped = rest.iter().position(|byte| !matches!(byte, b'\n' | 0)).unwrap_or(rest.len());
        let begin = self.at + skipped;
        let Some(length) = memchr(b'\n', self.bytes.get(begin..)?) else {
            // Only whole lines are passed. NULs before the last line feed belong to none.
            if let Some(last) = memchr::memrchr(b'\n', rest.get(..skipped)?) {
                self.at += last + 1;
            }
            return None;
        };
        let line = begin..begin + length;
        self.at = line.end + 1;
        Some(match parse(self.bytes.get(line.clone())?) {
            Some((version, header)) => Item::Record { version, payload: line.start + header..line.end },
            None => Item::Damaged(line),
        })
    }
}

/// Returns a line's version and the length of its framing, if it is a whole record.
fn parse(line: &[u8]) -> Option<(u32, usize)> {
    let mut fields = line.splitn(4, |byte| *byte == b' ');
    let (version, length, sum, payload) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let number = |digits: &[u8], radix| u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    let prefix = line.get(..version.len() + length.len() + 2)?;
    let is_whole = number(length, 10)? as usize == payload.len()
        && sum.len() == 8
        && number(sum, 16)? == checksum(prefix, payload);
    is_whole.then_some((number(version, 10)?, line.len() - payload.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(bytes: &[u8]) -> (Vec<String>, usize) {
        let mut items = Items::new(bytes);
        let read = items.by_ref().map(|item| match item {
            Item::Record { version, payload } => format!("{version}:{}", String::from_utf8_lossy(&bytes[payload])),
            Item::Damaged(line) => format!("damaged {}", line.len()),
        });
        let read = read.collect();
        (read, items.end())
    }

    #[test]
    fn items_of_whole_records_are_their_payloads() {
        let mut bytes = encode(1, b"{\"a\":1}").unwrap();
        bytes.extend(encode(7, b"").unwrap());
        bytes.extend(encode(1, b"a b c").unwrap());
        let (read, end) = payloads(&bytes);
        assert_eq!(read, ["1:{\"a\":1}", "7:", "1:a b c"]);
        assert_eq!(end, bytes.len());
    }

    #[test]
    fn items_cut_off_anywhere_leave_the_next_record_whole() {
        let first = encode(1, b"first").unwrap();
        let second = encode(1, b"second").unwrap();
        for length in 0..first.len() {
            for filler in [&b""[..], &[0; 9]] {
                let bytes = [&first[..length], filler, &second].concat();
                let (read, end) = payloads(&bytes);
                assert_eq!(read.last().unwrap(), "1:second", "{length}");
                assert!(read.len() <= 2, "{read:?}");
                assert_eq!(end, bytes.len());
            }
        }
    }

    #[test]
    fn items_of_an_incomplete_line_end_before_it() {
        let record = encode(1, b"first").unwrap();
        for length in 0..record.len() {
            let (read, end) = payloads(&record[..length]);
            assert_eq!(read, [""; 0]);
            // The rest continues from there.
            assert_eq!(payloads(&record[end..]).0, ["1:first"], "{length}");
        }
    }

    #[test]
    fn items_with_any_bit_changed_are_never_another_record() {
        let record = encode(1, b"some payload").unwrap();
        for bit in 0..record.len() * 8 {
            let mut changed = record.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            for item in payloads(&changed).0 {
                assert!(item.starts_with("damaged") || item == "1:some payload", "{bit}: {item}");
            }
        }
    }

    #[test]
    fn encode_refuses_what_would_not_be_one_line() {
        assert_eq!(encode(1, b"a\nb"), Err(InvalidPayload));
        assert_eq!(encode(1, &vec![b'x'; MAX_BYTES]), Err(InvalidPayload));
    }
}
