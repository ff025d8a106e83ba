//! What logs are packed with once they are rotated: logrotate's `compresscmd`, told by the file's extension.
//!
//! A packed file can only be read on. How much memory unpacking takes is bounded, whatever the file asks for.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The memory for what was unpacked and may be referred to again, in bytes: what `xz -9` and `zstd -19` ask for, and no
/// `zstd --long`. gzip takes 32 KiB and bzip2 4 MiB at most.
const WINDOW_BYTES: u32 = 64 << 20;

/// What a reader of xz has besides, in bytes: about 64 KiB of input.
const XZ_BESIDES_BYTES: u32 = 1 << 20;

/// A way of packing. `xz`, `zstd` and the others make one stream of a file; all may be several, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

impl Packing {
    const ALL: [Self; 4] = [Self::Gzip, Self::Xz, Self::Zstd, Self::Bzip2];

    const fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Xz => "xz",
            Self::Zstd => "zst",
            Self::Bzip2 => "bz2",
        }
    }

    /// How a file is packed, by its name; `None`: it is not.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?;
        Self::ALL.into_iter().find(|packing| packing.extension() == extension)
    }

    /// How many times shorter than the log a file is; about: a log is the same few lines again and again.
    pub(super) const fn ratio(self) -> u64 {
        match self {
            Self::Gzip => 8,
            Self::Zstd => 10,
            Self::Xz | Self::Bzip2 => 14,
        }
    }

    /// What the file holds, from its beginning.
    pub(super) fn unpack(self, file: File) -> Box<dyn Read + Send> {
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(file)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(file)),
            Self::Xz => {
                let kib = (WINDOW_BYTES + XZ_BESIDES_BYTES) >> 10;
                Box::new(XzReader::new_mem_limit(BufReader::new(file), true, kib))
            }
            Self::Zstd => Box::new(Zstd::new(BufReader::new(file))),
        }
    }
}

/// Reads the frames of a zstd file, one after the other.
struct Zstd {
    packed: BufReader<File>,
    frame: FrameDecoder,
}

impl Zstd {
    fn new(packed: BufReader<File>) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(WINDOW_BYTES.into());
        Self { packed, frame }
    }

    /// Begins the next frame. One with somebody's notes in it (`pzstd` makes such) is passed over.
    fn begin(&mut self) -> io::Result<()> {
        match self.frame.reset(&mut self.packed) {
            Ok(()) => Ok(()),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                io::copy(&mut (&mut self.packed).take(length.into()), &mut io::sink()).map(drop)
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // One block, of 128 KiB at most, is unpacked at a time.
            while self.frame.can_collect() == 0 && !self.frame.is_finished() {
                self.frame
                    .decode_blocks(&mut self.packed, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let read = self.frame.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.packed.fill_buf()?.is_empty() {
                return Ok(read);
            }
            self.begin()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn testdata(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/receive/tail/testdata").join(name)
    }

    fn unpacked(path: &Path) -> io::Result<String> {
        let mut text = String::new();
        Packing::of(path).unwrap().unpack(File::open(path)?).read_to_string(&mut text).map(|_| text)
    }

    /// The files were made by the real tools: `gzip`, `xz`, `zstd` and `bzip2` of Debian 12.
    #[test]
    fn what_the_real_tools_make() {
        let log = std::fs::read_to_string(testdata("packed.log")).unwrap();
        for packing in Packing::ALL {
            let name = format!("packed.log.{}", packing.extension());
            assert_eq!(unpacked(&testdata(&name)).unwrap(), log, "{name}");
        }
    }

    #[test]
    fn several_streams_are_one_file() {
        let log = std::fs::read_to_string(testdata("packed.log")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for packing in Packing::ALL {
            let name = format!("packed.log.{}", packing.extension());
            let once = std::fs::read(testdata(&name)).unwrap();
            // What pzstd puts in front of its frames.
            let notes: &[u8] = if packing == Packing::Zstd { b"\x50\x2a\x4d\x18\x04\0\0\0note" } else { b"" };
            let path = folder.path().join(&name);
            std::fs::write(&path, [notes, &once, notes, &once].concat()).unwrap();
            assert_eq!(unpacked(&path).unwrap(), log.repeat(2), "{name}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        for packing in Packing::ALL {
            let name = format!("packed.log.{}", packing.extension());
            let whole = std::fs::read(testdata(&name)).unwrap();
            let path = folder.path().join(&name);
            for length in (1..whole.len()).step_by(11) {
                std::fs::write(&path, &whole[..length]).unwrap();
                assert!(unpacked(&path).is_err(), "{name}, {length} bytes of it");
                let mut changed = whole.clone();
                changed[length] ^= 0xff;
                std::fs::write(&path, changed).unwrap();
                // Not all of them check what they unpack.
                let _ = unpacked(&path);
            }
        }
    }

    /// `xz` and `zstd` may ask for 4 GiB and more. These ask for 1 GiB.
    #[test]
    fn what_asks_for_too_much_memory_is_refused() {
        for name in ["greedy.log.xz", "greedy.log.zst"] {
            let error = unpacked(&testdata(name)).unwrap_err().to_string();
            assert!(error.contains("mem_limit") || error.contains("window_size"), "{name}: {error}");
        }
    }

    #[test]
    fn names() {
        let of = |name: &str| Packing::of(Path::new(name));
        assert_eq!(of("/l/fail2ban.log.2.zst"), Some(Packing::Zstd));
        assert_eq!(of("fail2ban.log-20261121.bz2"), Some(Packing::Bzip2));
        for plain in ["fail2ban.log", "fail2ban.log.1", "gz", ".xz", "f.gz.1"] {
            assert_eq!(of(plain), None, "{plain}");
        }
    }
}
