//! Keys of `envFrom` entries that a later `envFrom` entry of the same container overrides: what
//! they hold never reaches the process.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::SourceState;
use super::ladder::{MOST_COMPARED, Use};
use crate::record::{Changes, SourceRecord};
use crate::reference::{Mode, Reference};

impl Use<'_> {
    /// The changes that reach a container; `None` when none does. Changes of unnamed keys stay.
    pub(super) fn without_overridden(&self, changes: Changes) -> Option<Changes> {
        if changes == Changes::default() {
            return Some(changes);
        }
        let reaching = self.reaching(&changes);
        let keep = |keys: BTreeSet<String>| keys.into_iter().filter(|key| reaching.contains(key)).collect();
        let Changes { changed, added, removed } = changes;
        let left = Changes { changed: keep(changed), added: keep(added), removed: keep(removed) };
        (left != Changes::default()).then_some(left)
    }

    /// The keys that some container sees, or that no container is known to use. One walk from the last
    /// reference to the first, however many there are.
    fn reaching(&self, changes: &Changes) -> BTreeSet<String> {
        let (mut reaching, mut used) = (BTreeSet::new(), BTreeSet::new());
        let mut set_later: BTreeMap<&str, HashSet<String>> = BTreeMap::new();
        // Whoever makes a pod decides how many there are.
        let mut left = MOST_COMPARED;
        for reference in self.pod.references.iter().rev() {
            let set_later = set_later.entry(reference.container.as_str()).or_default();
            if reference.source == *self.source && reference.mode == self.mode {
                for key in changes.keys().filter(|key| reference.keys.contains(key)) {
                    used.insert(key.clone());
                    let variable = reference.prefix.as_ref().map(|prefix| format!("{prefix}{key}"));
                    if !variable.is_some_and(|variable| set_later.contains(&variable)) {
                        reaching.insert(key.clone());
                    }
                }
            }
            if left > 0 {
                let variables = self.certain_variables(reference);
                left = left.saturating_sub(variables.len());
                set_later.extend(variables);
            }
        }
        reaching.extend(changes.keys().filter(|key| !used.contains(*key)).cloned());
        reaching
    }

    /// The variables that an `envFrom` entry certainly sets, then and now: its source did not move
    /// since the record.
    fn certain_variables(&self, reference: &Reference) -> Vec<String> {
        let Some(prefix) = &reference.prefix else { return Vec::new() };
        let recorded = self.pod.record.as_ref().ok().and_then(|record| record.sources.get(&reference.source));
        let (Some(SourceRecord::Read(read)), Some(SourceState::Present(now))) =
            (recorded, self.sources.get(&reference.source))
        else {
            return Vec::new();
        };
        if read.uid != now.uid || read.resource_version != now.resource_version {
            return Vec::new();
        }
        // Its marks name what env sees of it; managedFields name keys of binaryData as well.
        let marks = read.uses.get(&Mode::Env).and_then(|used| used.marks.as_ref()).into_iter().flatten();
        let there = marks.filter(|(key, mark)| mark.is_some() && reference.keys.contains(key));
        there.map(|(key, _)| format!("{prefix}{key}")).collect()
    }
}
