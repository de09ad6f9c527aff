//! Immutable sources that were deleted and made again: a node that had a pod with the old one goes
//! on serving the old content by name, to new pods too, as long as any pod there refers to it.

use jiff::Timestamp;

use crate::record::SourceRecord;

/// Something that refers to a source by name, and may know an older object of that name.
#[derive(Debug, Clone, Copy)]
pub enum Trace<'a> {
    /// A pod, by what its record says of the source.
    Recorded {
        /// Of the source.
        source: &'a SourceRecord,
        /// The pod's `metadata.creationTimestamp`.
        created_at: Timestamp,
    },
    /// A pod without a record, or a revision of a workload, made at that time.
    Made(Timestamp),
}

/// The object that has a source's name now.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.creationTimestamp`.
    pub created_at: Timestamp,
    /// Whether it is immutable.
    pub immutable: bool,
}

/// Whether a trace shows that an older object than `now` was there, one of both immutable. Which
/// node saw it is not asked, so that a pod on a fresh node may be in doubt too.
///
/// Not seen is an older object of which no trace is left: every pod that used it is gone, and the
/// revisions of its workload are as well (`revisionHistoryLimit`), or it was another workload's; and
/// an immutable one that a mutable one replaced, once the last pod recorded with it is gone.
pub fn shows_older(trace: Trace<'_>, now: Object<'_>) -> bool {
    match trace {
        Trace::Recorded { source: SourceRecord::Read(read), .. } => {
            read.uid != now.uid && (read.immutable || now.immutable)
        }
        // There was none when the pod was made.
        Trace::Recorded { source: SourceRecord::Absent, .. } => false,
        Trace::Recorded { source: SourceRecord::Unread(_), created_at } | Trace::Made(created_at) => {
            now.immutable && created_at < now.created_at
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::{ReadSource, Unread};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn what_refers_to_a_name_shows_an_older_object_of_it() {
        let now = |immutable| Object { uid: "u2", created_at: at(50), immutable };
        let read = |uid: &str, immutable| {
            let (uid, resource_version) = (uid.to_owned(), "1".to_owned());
            SourceRecord::Read(ReadSource { uid, resource_version, immutable, uses: BTreeMap::new() })
        };
        let recorded = |source: SourceRecord, now| {
            shows_older(Trace::Recorded { source: &source, created_at: at(0) }, now)
        };
        for (name, source, immutable, expected) in [
            ("the object itself", read("u2", true), true, false),
            ("an immutable one, made again", read("u1", true), true, true),
            ("an immutable one, made again mutable", read("u1", true), false, true),
            ("one that was made immutable, then made again", read("u1", false), true, true),
            ("one that never was immutable", read("u1", false), false, false),
            ("one that came late", SourceRecord::Absent, true, false),
            ("one that was not read", SourceRecord::Unread(Unread::Timeout), true, true),
            (
                "one that was not read, and is not immutable",
                SourceRecord::Unread(Unread::Timeout),
                false,
                false,
            ),
        ] {
            assert_eq!(recorded(source, now(immutable)), expected, "{name}");
        }
        assert!(shows_older(Trace::Made(at(49)), now(true)));
        assert!(!shows_older(Trace::Made(at(50)), now(true)), "applied together");
        assert!(!shows_older(Trace::Made(at(0)), now(false)));
    }
}
