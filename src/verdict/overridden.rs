//! Keys of `envFrom` entries that a later `envFrom` entry of the same container overrides: what
//! they hold never reaches the process.

use super::SourceState;
use super::ladder::Use;
use crate::record::{Changes, SourceRecord};
use crate::reference::{Mode, Reference};

impl Use<'_> {
    /// The changes that reach a container; `None` when none does. Changes of unnamed keys stay.
    pub(super) fn without_overridden(&self, changes: Changes) -> Option<Changes> {
        let unnamed = changes == Changes::default();
        let reaches = |key: &String| {
            let users = self.references.iter().filter(|r| r.keys.contains(key));
            !users.clone().all(|r| self.is_overridden(r, key)) || users.count() == 0
        };
        let keep =
            |keys: std::collections::BTreeSet<String>| keys.into_iter().filter(|key| reaches(key)).collect();
        let Changes { changed, added, removed } = changes;
        let left = Changes { changed: keep(changed), added: keep(added), removed: keep(removed) };
        (unnamed || left != Changes::default()).then_some(left)
    }

    /// Whether a later entry certainly sets the key's variable, then and now: its source did not
    /// move since the record, and has such a key.
    fn is_overridden(&self, reference: &Reference, key: &str) -> bool {
        let Some(prefix) = &reference.prefix else { return false };
        let variable = format!("{prefix}{key}");
        let later = self.pod.references.iter().skip_while(|r| !std::ptr::eq(*r, reference)).skip(1);
        later.filter(|r| r.container == reference.container && r.mode == Mode::Env).any(|r| {
            let key = r.prefix.as_ref().and_then(|prefix| variable.strip_prefix(prefix.as_str()));
            key.is_some_and(|key| r.keys.contains(key) && self.has_had(r, key))
        })
    }

    fn has_had(&self, reference: &Reference, key: &str) -> bool {
        let recorded = self.pod.record.as_ref().ok().and_then(|record| record.sources.get(&reference.source));
        let (Some(SourceRecord::Read(read)), Some(SourceState::Present(now))) =
            (recorded, self.sources.get(&reference.source))
        else {
            return false;
        };
        let unmoved = read.uid == now.uid && read.resource_version == now.resource_version;
        // Its marks name what env sees of it; managedFields name keys of binaryData as well.
        let marks = read.uses.get(&Mode::Env).and_then(|used| used.marks.as_ref());
        unmoved && marks.is_some_and(|marks| marks.get(key).is_some_and(Option::is_some))
    }
}
