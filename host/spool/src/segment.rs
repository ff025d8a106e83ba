//! A segment's name and its first line, by which it is known even where its inode number is used again.

/// The name of the link to the segment that writers append to.
pub(crate) const ACTIVE: &str = "active";
/// How the name of a segment ends.
const SUFFIX: &str = ".segment";
/// How the first line of a segment begins.
const MAGIC: &[u8] = b"banhook-spool 1 ";
/// Digits of an ID.
const DIGITS: usize = 32;

/// The bytes of a segment's first line.
pub(crate) const HEADER_BYTES: usize = MAGIC.len() + DIGITS + 1;

/// The random ID of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u128);

impl SegmentId {
    /// Parses the digits that [`Display`](std::fmt::Display) writes.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let is_id = digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(digits, 16).ok().filter(|_| is_id).map(Self)
    }

    /// Returns the name of its file.
    pub(crate) fn file_name(self) -> String {
        format!("{self}{SUFFIX}")
    }

    /// Returns the ID in the name of a file, if it is that of a segment.
    pub(crate) fn of_file_name(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(SUFFIX)?)
    }

    /// Returns the first line of its file.
    pub(crate) fn header(self) -> Vec<u8> {
        [MAGIC, self.to_string().as_bytes(), b"\n"].concat()
    }

    /// Returns the ID in a segment's first line.
    pub(crate) fn of_header(header: &[u8]) -> Option<Self> {
        let digits = header.strip_prefix(MAGIC)?.strip_suffix(b"\n")?;
        Self::parse(std::str::from_utf8(digits).ok()?)
    }
}

impl std::fmt::Display for SegmentId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:0DIGITS$x}", self.0)
    }
}
