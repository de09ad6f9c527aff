//! The present runs of a pod's containers.

use jiff::Timestamp;

/// The present run of a container, or the last one of an init container that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// When it started, in whole seconds; `None` while it waits.
    pub started_at: Option<Timestamp>,
    /// How often it was started before, in this pod.
    pub restarts: u32,
}

/// Runs by container name. A pod has few, and pods are many: a tree would take ten times the room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs(Box<[(String, Run)]>);

impl Runs {
    /// That of a container.
    pub fn get(&self, container: &str) -> Option<Run> {
        let found = self.0.binary_search_by(|(name, _)| name.as_str().cmp(container));
        found.ok().and_then(|position| self.0.get(position)).map(|(_, run)| *run)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Run)> {
        self.0.iter().map(|(name, run)| (name.as_str(), *run))
    }
}

impl FromIterator<(String, Run)> for Runs {
    /// Of a container that is named twice, one.
    fn from_iter<I: IntoIterator<Item = (String, Run)>>(runs: I) -> Self {
        let mut runs: Vec<_> = runs.into_iter().collect();
        runs.sort_by(|(one, _), (other, _)| one.cmp(other));
        runs.dedup_by(|(one, _), (other, _)| one == other);
        Self(runs.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_container_has_its_run() {
        let run = |restarts| Run { started_at: None, restarts };
        let runs: Runs = ["b", "c", "a"]
            .into_iter()
            .zip(0..)
            .map(|(name, restarts)| (name.to_owned(), run(restarts)))
            .collect();
        let found = ["a", "b", "c", "d", ""].map(|name| runs.get(name).map(|run| run.restarts));
        assert_eq!(found, [Some(2), Some(0), Some(1), None, None]);
    }
}
