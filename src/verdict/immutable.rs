//! Immutable sources that were deleted and made again: a node that had a pod with the old one goes
//! on serving the old content by name, to new pods too, as long as any pod there refers to it.

use jiff::Timestamp;

use super::Doubt;
use crate::record::SourceRecord;
use crate::reference::Mode;

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
    /// A container that does not start without the source, and started at that time.
    Started(Timestamp),
}

/// The object that has a source's name now.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.creationTimestamp`.
    pub created_at: Timestamp,
    /// Whether it may be immutable: somebody has set the field.
    pub immutable: bool,
}

/// What a trace shows of an older object than `now`, one of both immutable. Which node saw it is not
/// asked, so that a pod on a fresh node may be in doubt too.
///
/// Not seen is an older object of which no trace is left: every pod that used it is gone, and the
/// revisions of its workload are as well (`revisionHistoryLimit`), or it was another workload's; and
/// an immutable one that a mutable one replaced, once the last pod recorded with it is gone.
pub fn doubt(trace: Trace<'_>, now: Object<'_>) -> Option<Doubt> {
    let if_immutable = |older: bool| (now.immutable && older).then_some(Doubt::OlderIfImmutable);
    match trace {
        // A process that reads through the API leaves the kubelet nothing to serve.
        Trace::Recorded { source: SourceRecord::Read(read), .. }
            if !read.uses.is_empty() && read.uses.keys().all(|mode| *mode == Mode::Api) =>
        {
            None
        }
        Trace::Recorded { source: SourceRecord::Read(read), .. } if read.uid == now.uid => None,
        Trace::Recorded { source: SourceRecord::Read(read), .. } if read.immutable => {
            Some(Doubt::OlderServed)
        }
        Trace::Recorded { source: SourceRecord::Read(_), .. } => if_immutable(true),
        // There was none when the pod was made. What came later shows by the start of a container.
        Trace::Recorded { source: SourceRecord::Absent, .. } => None,
        Trace::Recorded { source: SourceRecord::Unread(_), created_at: since }
        | Trace::Made(since)
        | Trace::Started(since) => if_immutable(since < now.created_at),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::content::Content;
    use crate::digest::Hasher;
    use crate::record::{ReadSource, Unread, UseRecord};
    use crate::reference::Keys;
    use crate::source::SourceId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn what_refers_to_a_name_shows_an_older_object_of_it() {
        const IF: Option<Doubt> = Some(Doubt::OlderIfImmutable);
        const SURE: Option<Doubt> = Some(Doubt::OlderServed);
        let now = |immutable| Object { uid: "u2", created_at: at(50), immutable };
        let read = |uid: &str, immutable| {
            let (uid, resource_version) = (uid.to_owned(), "1".to_owned());
            SourceRecord::Read(ReadSource { uid, resource_version, immutable, uses: BTreeMap::new() })
        };
        let through_api = || {
            let SourceRecord::Read(read) = read("u1", true) else { unreachable!() };
            let content = Content::config_map([], []);
            let hasher = Hasher::new(&SourceId::config_map("m"), "x", None).unwrap();
            let used = UseRecord::of(&content, &hasher, Mode::Api, &Keys::all());
            SourceRecord::Read(ReadSource { uses: [(Mode::Api, used)].into(), ..read })
        };
        for (name, source, immutable, expected) in [
            ("the object itself", read("u2", true), true, None),
            ("an immutable one, made again", read("u1", true), true, SURE),
            ("an immutable one, made again mutable", read("u1", true), false, SURE),
            ("one that was made immutable, then made again", read("u1", false), true, IF),
            ("one that never was immutable", read("u1", false), false, None),
            ("one that came late", SourceRecord::Absent, true, None),
            ("one that was not read", SourceRecord::Unread(Unread::Timeout), true, IF),
            ("one that was not read, and is mutable", SourceRecord::Unread(Unread::Timeout), false, None),
            ("one that is read through the API alone", through_api(), true, None),
        ] {
            let trace = Trace::Recorded { source: &source, created_at: at(0) };
            assert_eq!(doubt(trace, now(immutable)), expected, "{name}");
        }
        assert_eq!(doubt(Trace::Made(at(49)), now(true)), IF);
        assert_eq!(doubt(Trace::Made(at(50)), now(true)), None, "applied together");
        assert_eq!(doubt(Trace::Made(at(0)), now(false)), None);
        assert_eq!(doubt(Trace::Started(at(49)), now(true)), IF, "it needed one that is gone");
        assert_eq!(doubt(Trace::Started(at(50)), now(true)), None, "it waited for this one");
        assert_eq!(doubt(Trace::Started(at(0)), now(false)), None);
    }
}
