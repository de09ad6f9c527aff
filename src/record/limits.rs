//! How long a record may be, and what is left out of one that would be longer.

use super::{ReadSource, Record, SourceRecord, UseRecord, wire};
use crate::reference::Keys;
use crate::source::SourceId;

/// The longest record that is written, in bytes: log shippers copy annotations into every line.
pub const MAX_LENGTH: usize = 4096;

/// More marks than this are longer than [`MAX_LENGTH`], and are not even made: a ConfigMap may have a
/// hundred thousand keys.
pub(super) const MAX_MARKS: usize = MAX_LENGTH / 12;

/// More sources than this do not fit, with not even a name and a kind each.
pub const MAX_SOURCES: usize = MAX_LENGTH / 32;

/// The longest that all annotations of a pod may be with the record, in bytes: the API server rejects
/// pods from 256 KiB on, and others want room as well.
pub const MAX_ANNOTATIONS: usize = 200 * 1024;

/// Why a record cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// Too many sources for [`MAX_LENGTH`], even without marks and digests.
    #[error("the record would be {0} bytes long, over the limit of {MAX_LENGTH}")]
    TooLong(usize),
    /// Not to be put as JSON.
    #[error("the record cannot be put as JSON")]
    Json(#[from] serde_json::Error),
}

impl Record {
    /// The annotation's value, at most [`MAX_LENGTH`] bytes. When space is short, sources lose their
    /// marks, the one with the most keys first; then, in the same order, their digests, so that only
    /// uid and resourceVersion are left to compare.
    ///
    /// # Errors
    /// When it is too long even so.
    pub fn encode(&self) -> Result<String, Unwritable> {
        let text = self.to_json()?;
        match text.len() {
            ..=MAX_LENGTH => Ok(text),
            length if self.sources.len() > MAX_SOURCES => Err(Unwritable::TooLong(length)),
            length => self.clone().shortened(length),
        }
    }

    /// The same, of a record that is `length` bytes long as it is.
    fn shortened(mut self, mut length: usize) -> Result<String, Unwritable> {
        let mut largest_last: Vec<SourceId> = self.sources.keys().cloned().collect();
        largest_last.sort_by_key(|id| self.sources.get(id).map(size));
        for shorten in [drop_marks as fn(&mut ReadSource), drop_digests] {
            for id in largest_last.iter().rev() {
                if length <= MAX_LENGTH {
                    return Ok(self.to_json()?);
                }
                let Some(source) = self.sources.get_mut(id) else { continue };
                let before = wire::length(id, source)?;
                if let SourceRecord::Read(read) = source {
                    shorten(read);
                }
                // Without marks an empty source is longer, by `true` in place of `{}`.
                length = (length + wire::length(id, source)?).saturating_sub(before);
            }
        }
        if length <= MAX_LENGTH { Ok(self.to_json()?) } else { Err(Unwritable::TooLong(length)) }
    }
}

/// How many keys a source has in the record.
fn size(source: &SourceRecord) -> usize {
    let SourceRecord::Read(read) = source else { return 0 };
    let keys = |used: &UseRecord| match (&used.keys, &used.marks) {
        (_, Some(marks)) => marks.len(),
        (Keys::Some(keys), None) => keys.len(),
        (Keys::All { except }, None) => except.len(),
    };
    read.uses.values().map(keys).sum()
}

fn drop_marks(read: &mut ReadSource) {
    read.uses.values_mut().for_each(|used| used.marks = None);
}

fn drop_digests(read: &mut ReadSource) {
    read.uses.clear();
}
