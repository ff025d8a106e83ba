//! The file `settled` in the spool: up to where each segment's events are settled, one line each: `ID OFFSET CHECKSUM`, where
//! the checksum is the CRC-32 of what is before it, in eight hexadecimal digits.
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
    let text: String = marks.iter().map(line).collect();
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
    Ok(text.lines().filter_map(parse).collect())
}

fn line((segment, offset): &(SegmentId, u64)) -> String {
    let mark = format!("{segment} {offset}");
    format!("{mark} {:08x}\n", crc32fast::hash(mark.as_bytes()))
}

fn parse(text: &str) -> Option<(SegmentId, u64)> {
    let (segment, rest) = text.split_once(' ')?;
    let (offset, _) = rest.split_once(' ')?;
    let mark = (SegmentId::parse(segment)?, offset.parse().ok()?);
    // One that is too far on would lose events.
    (line(&mark).trim_end() == text).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_marks_with_any_bit_changed_are_absent_or_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let marks = [(SegmentId(7), 2_304), (SegmentId(8), 100)];
        write(folder.path(), &marks).unwrap();
        assert_eq!(read(folder.path()).unwrap(), marks);
        let file = folder.path().join(NAME);
        let text = fs::read(&file).unwrap();
        for bit in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, changed).unwrap();
            assert!(read(folder.path()).unwrap().iter().all(|mark| marks.contains(mark)), "{bit}");
        }
        for length in 0..text.len() {
            fs::write(&file, &text[..length]).unwrap();
            assert!(read(folder.path()).unwrap().iter().all(|mark| marks.contains(mark)), "{length}");
        }
    }
}
