//! The compression of rotated logs: logrotate's `compresscmd`, recognized by the file's extension.
//!
//! A compressed file can only be read forward. How much memory decompression takes is bounded, whatever the file asks for.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The memory for the window of a decompressor, in bytes: as much as `xz -9` and `zstd -19` ask for, but not `zstd --long`. gzip takes 32 KiB and bzip2 4 MiB at most.
const WINDOW_BYTES: u32 = 64 << 20;

/// What a reader of xz needs in addition, in bytes: about 64 KiB of input.
const XZ_EXTRA_BYTES: u32 = 1 << 20;

/// A compression format. A file is one stream, or several, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

impl Compression {
    const ALL: [Self; 4] = [Self::Gzip, Self::Xz, Self::Zstd, Self::Bzip2];

    const fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Xz => "xz",
            Self::Zstd => "zst",
            Self::Bzip2 => "bz2",
        }
    }

    /// Returns the compression of a file by its name; `None`: it is not compressed.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?;
        Self::ALL.into_iter().find(|compression| compression.extension() == extension)
    }

    /// Returns about how many times smaller a file is than the log: a log repeats the same few lines.
    pub(super) const fn ratio(self) -> u64 {
        match self {
            Self::Gzip => 8,
            Self::Zstd => 10,
            Self::Xz | Self::Bzip2 => 14,
        }
    }

    /// Decompresses a file from its beginning.
    pub(super) fn decompress(self, file: File) -> Box<dyn Read + Send> {
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(file)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(file)),
            Self::Xz => {
                let kib = (WINDOW_BYTES + XZ_EXTRA_BYTES) >> 10;
                Box::new(XzReader::new_mem_limit(BufReader::new(file), true, kib))
            }
            Self::Zstd => Box::new(ZstdReader::new(BufReader::new(file))),
        }
    }
}

/// Decompresses the frames of a zstd file, one after the other.
struct ZstdReader {
    compressed: BufReader<File>,
    frame: FrameDecoder,
}

impl ZstdReader {
    fn new(compressed: BufReader<File>) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(WINDOW_BYTES.into());
        Self { compressed, frame }
    }

    /// Begins the next frame. A skippable one (`pzstd` makes such) is skipped.
    fn begin(&mut self) -> io::Result<()> {
        match self.frame.reset(&mut self.compressed) {
            Ok(()) => Ok(()),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                io::copy(&mut (&mut self.compressed).take(length.into()), &mut io::sink()).map(drop)
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl Read for ZstdReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // One block, of 128 KiB at most, is decompressed at a time.
            while self.frame.can_collect() == 0 && !self.frame.is_finished() {
                self.frame
                    .decode_blocks(&mut self.compressed, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let read = self.frame.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.compressed.fill_buf()?.is_empty() {
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

    fn decompressed(path: &Path) -> io::Result<String> {
        let mut text = String::new();
        Compression::of(path).unwrap().decompress(File::open(path)?).read_to_string(&mut text).map(|_| text)
    }

    /// The files were made by the real tools: `gzip`, `xz`, `zstd` and `bzip2` of Debian 12.
    #[test]
    fn decompress_reads_the_files_of_the_real_tools() {
        let log = std::fs::read_to_string(testdata("packed.log")).unwrap();
        for compression in Compression::ALL {
            let name = format!("packed.log.{}", compression.extension());
            assert_eq!(decompressed(&testdata(&name)).unwrap(), log, "{name}");
        }
    }

    #[test]
    fn decompress_several_streams_are_one_file() {
        let log = std::fs::read_to_string(testdata("packed.log")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for compression in Compression::ALL {
            let name = format!("packed.log.{}", compression.extension());
            let once = std::fs::read(testdata(&name)).unwrap();
            // What pzstd writes before its frames.
            let skippable: &[u8] =
                if compression == Compression::Zstd { b"\x50\x2a\x4d\x18\x04\0\0\0note" } else { b"" };
            let path = folder.path().join(&name);
            std::fs::write(&path, [skippable, &once, skippable, &once].concat()).unwrap();
            assert_eq!(decompressed(&path).unwrap(), log.repeat(2), "{name}");
        }
    }

    #[test]
    fn decompress_truncated_or_damaged_file_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        for compression in Compression::ALL {
            let name = format!("packed.log.{}", compression.extension());
            let whole = std::fs::read(testdata(&name)).unwrap();
            let path = folder.path().join(&name);
            for length in (1..whole.len()).step_by(11) {
                std::fs::write(&path, &whole[..length]).unwrap();
                assert!(decompressed(&path).is_err(), "{name}, {length} bytes of it");
                let mut changed = whole.clone();
                changed[length] ^= 0xff;
                std::fs::write(&path, changed).unwrap();
                // Not every format has a checksum.
                let _ = decompressed(&path);
            }
        }
    }

    /// `xz` and `zstd` may ask for 4 GiB and more. These ask for 1 GiB.
    #[test]
    fn decompress_file_that_asks_for_too_much_memory_is_an_error() {
        for name in ["greedy.log.xz", "greedy.log.zst"] {
            let error = decompressed(&testdata(name)).unwrap_err().to_string();
            assert!(error.contains("mem_limit") || error.contains("window_size"), "{name}: {error}");
        }
    }

    #[test]
    fn of_recognizes_the_extension() {
        let of = |name: &str| Compression::of(Path::new(name));
        assert_eq!(of("/l/fail2ban.log.2.zst"), Some(Compression::Zstd));
        assert_eq!(of("fail2ban.log-20261121.bz2"), Some(Compression::Bzip2));
        for plain in ["fail2ban.log", "fail2ban.log.1", "gz", ".xz", "f.gz.1"] {
            assert_eq!(of(plain), None, "{plain}");
        }
    }
}
