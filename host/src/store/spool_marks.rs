//! The file `settled` in the spool: up to where each segment's events are settled, one line each: `ID OFFSET`.
//!
//! It outlives the database: after that was lost, nothing is received again that was delivered. It only ever says what the
//! database has made durable before.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use spool::SegmentId;

const NAME: &str = "settled";
const NEW_NAME: &str = "settled.new";

/// Replaces the file, whole and durably.
pub(super) fn write(spool: &Path, marks: &[(SegmentId, u64)]) -> io::Result<()> {
    let text: String = marks.iter().map(|(segment, offset)| format!("{segment} {offset}\n")).collect();
    let new = spool.join(NEW_NAME);
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, spool.join(NAME))?;
    File::open(spool)?.sync_all()
}

/// Reads the file. A line that is damaged counts for nothing: then events are sent again, and none is lost.
pub(super) fn read(spool: &Path) -> io::Result<Vec<(SegmentId, u64)>> {
    let text = match fs::read(spool.join(NAME)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let mark = |line: &str| {
        let (segment, offset) = line.split_once(' ')?;
        Some((SegmentId::parse(segment)?, offset.parse().ok()?))
    };
    Ok(text.lines().filter_map(mark).collect())
}
