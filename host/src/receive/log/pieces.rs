//! Lines that were too long for their carrier, which cut them: Docker after 16 KiB, the journal after 48 KiB.
//!
//! Where the carrier marks the pieces, they are joined. Where it does not, what follows a piece of exactly that length is
//! dropped: a long id of an attacker would otherwise begin a line of its own.

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::envelope::{Envelope, Piece};

/// After how many bytes Docker and journald cut the output of a service.
const CUT_AFTER: [usize; 2] = [16 << 10, 48 << 10];

/// How much of a joined line is kept, in bytes. What matters is at its beginning.
const MAX_JOINED_BYTES: usize = 64 << 10;

/// How many services may have an unfinished line at the same time.
const MAX_UNFINISHED: usize = 64;

/// The lines whose end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// By host, tag and stream. `None`: the beginning has been parsed, and the rest is dropped.
    unfinished: Vec<(u64, Option<Vec<u8>>)>,
    key: RandomState,
}

impl Pieces {
    /// Adds what a line has within its envelope. Returns the line that this ends; `None` if it goes on, or is the rest of one
    /// that was parsed.
    pub(super) fn add<'a>(&mut self, envelope: &Envelope<'_>, text: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let piece = match envelope.piece {
            Piece::Whole if envelope.tag.is_some() && CUT_AFTER.contains(&text.len()) => Piece::CutOff,
            piece => piece,
        };
        if piece == Piece::Whole && self.unfinished.is_empty() {
            return Some(Cow::Borrowed(text));
        }
        let key = self.key.hash_one((envelope.host, envelope.tag, envelope.stream));
        let before = self.unfinished.iter().position(|(other, _)| *other == key).map(|at| self.unfinished.remove(at).1);
        match (before, piece) {
            (None, Piece::Whole | Piece::Ended) => Some(Cow::Borrowed(text)),
            (None, Piece::CutOff) => {
                self.keep(key, None);
                Some(Cow::Borrowed(text))
            }
            (None, Piece::Begun) => {
                self.keep(key, Some(bounded(Vec::new(), text)));
                None
            }
            (Some(None), Piece::Whole | Piece::Ended) => None,
            (Some(None), Piece::Begun | Piece::CutOff) => {
                self.keep(key, None);
                None
            }
            (Some(Some(begun)), Piece::Begun) => {
                self.keep(key, Some(bounded(begun, text)));
                None
            }
            (Some(Some(begun)), _) => Some(Cow::Owned(bounded(begun, text))),
        }
    }

    fn keep(&mut self, key: u64, text: Option<Vec<u8>>) {
        if self.unfinished.len() >= MAX_UNFINISHED {
            self.unfinished.remove(0);
        }
        self.unfinished.push((key, text));
    }
}

fn bounded(mut begun: Vec<u8>, text: &[u8]) -> Vec<u8> {
    let room = MAX_JOINED_BYTES.saturating_sub(begun.len());
    begun.extend_from_slice(text.get(..room).unwrap_or(text));
    begun
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(stream: &'static str, piece: Piece) -> Envelope<'static> {
        Envelope { stream: stream.as_bytes(), piece, tag: Some(b"f2b"), ..Envelope::default() }
    }

    #[test]
    fn add_joins_marked_pieces_of_each_stream() {
        let mut pieces = Pieces::default();
        let mut add = |stream, piece, text: &'static str| {
            pieces
                .add(&envelope(stream, piece), text.as_bytes())
                .map(|line| String::from_utf8(line.into_owned()).unwrap())
        };
        assert_eq!(add("stdout", Piece::Ended, "a").as_deref(), Some("a"));
        assert_eq!(add("stdout", Piece::Begun, "b"), None);
        assert_eq!(add("stderr", Piece::Ended, "x").as_deref(), Some("x"));
        assert_eq!(add("stdout", Piece::Begun, "c"), None);
        assert_eq!(add("stdout", Piece::Ended, "d").as_deref(), Some("bcd"));
        assert_eq!(add("stdout", Piece::Ended, "e").as_deref(), Some("e"));
    }

    #[test]
    fn add_drops_what_follows_an_unmarked_cut() {
        for length in CUT_AFTER {
            let mut pieces = Pieces::default();
            let full = vec![b'x'; length];
            let mut add = |stream, piece, text: &[u8]| pieces.add(&envelope(stream, piece), text).is_some();
            assert!(add("", Piece::Whole, &full));
            assert!(add("other", Piece::Whole, b"line"));
            assert!(!add("", Piece::Whole, &full));
            assert!(!add("", Piece::Whole, b"rest"));
            assert!(add("", Piece::Whole, b"line"));
            assert!(add("", Piece::CutOff, b"short"));
            assert!(!add("", Piece::Whole, b"rest"));
        }
    }

    #[test]
    fn add_is_bounded() {
        let mut pieces = Pieces::default();
        for _ in 0..100 {
            pieces.add(&envelope("stdout", Piece::Begun), &[b'x'; 10_000]);
        }
        assert_eq!(pieces.add(&envelope("stdout", Piece::Ended), b"x").unwrap().len(), MAX_JOINED_BYTES);
        for stream in (0..1_000).map(|number: i32| number.to_string()) {
            let envelope = Envelope { stream: stream.as_bytes(), piece: Piece::Begun, ..Envelope::default() };
            pieces.add(&envelope, b"x");
        }
        assert_eq!(pieces.unfinished.len(), MAX_UNFINISHED);
    }
}
