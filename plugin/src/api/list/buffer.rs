//! An answer of which a piece is in memory: the whole of it may be too large to keep.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// How much is read at a time, in bytes.
const PIECE: usize = 128 * 1024;

/// What was read of an answer, and not parsed yet.
pub(super) struct Buffer<R> {
    reader: R,
    piece: usize,
    /// Metadata of a Secret may hold a copy of its values.
    bytes: Zeroizing<Vec<u8>>,
    /// Where in the bytes the rest begins.
    at: usize,
    ended: bool,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(reader: R) -> Self {
        Self::by(PIECE, reader)
    }

    /// One that reads so much at a time.
    pub(super) fn by(piece: usize, reader: R) -> Self {
        let bytes = Zeroizing::new(Vec::with_capacity(2 * piece));
        Self { reader, piece, bytes, at: 0, ended: false }
    }

    /// What is there and not parsed yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether there is no more to come.
    pub(super) fn is_whole(&self) -> bool {
        self.ended
    }

    /// So many bytes of the rest are parsed.
    pub(super) fn advance(&mut self, parsed: usize) {
        self.at += parsed;
    }

    /// Forgets what was parsed and reads another piece.
    pub(super) fn more(&mut self) -> io::Result<()> {
        self.bytes.drain(..self.at);
        self.at = 0;
        let piece = u64::try_from(self.piece).unwrap_or(u64::MAX);
        let read = self.reader.by_ref().take(piece).read_to_end(&mut self.bytes)?;
        self.ended = read < self.piece;
        Ok(())
    }
}
