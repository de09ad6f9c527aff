//! From the verdicts of pods to that of their workload.

use super::{Certainty, Verdict, worst_of};

/// A pod as its workload counts it.
#[derive(Debug, Clone, Copy)]
pub struct PodVerdict<'a> {
    /// Its verdict.
    pub verdict: Verdict,
    /// On what evidence.
    pub certainty: Certainty,
    /// Its revision, as its controller labels it: `pod-template-hash`, `controller-revision-hash`.
    pub revision: Option<&'a str>,
}

/// Where a workload's rollout stands.
#[derive(Debug, Clone, Copy)]
pub struct Rollout<'a> {
    /// The revision that it is at or on the way to, where that is known.
    pub newest: Option<&'a str>,
    /// Whether the controller has seen the last change; until then every pod is of an old revision.
    pub observed: bool,
    /// Whether it goes on.
    pub progress: Progress,
}

/// Whether a rollout goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is none, or it is held: paused, `OnDelete`, behind a partition.
    Still,
    /// It replaces pods.
    Underway,
    /// It made no progress within its deadline.
    Stuck,
}

/// A workload, by its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollUp {
    /// The worst of its pods' verdicts, or Rolling.
    pub verdict: Verdict,
    /// On what evidence.
    pub certainty: Certainty,
    /// Its pods.
    pub pods: usize,
    /// Those with its verdict, or that are drifted where it is Rolling.
    pub affected: usize,
    /// Whether a rollout that would replace the drifted pods is stuck.
    pub stuck: bool,
}

/// Rolls pods up to their workload. It is Rolling where it would be Drifted, and a rollout that goes
/// on replaces every drifted pod; without a `rollout` nothing is known of any.
pub fn roll_up(pods: &[PodVerdict<'_>], rollout: Option<Rollout<'_>>) -> RollUp {
    let (verdict, certainty) = worst_of(pods.iter().map(|pod| (pod.verdict, pod.certainty)));
    let affected = pods.iter().filter(|pod| (pod.verdict, pod.certainty) == (verdict, certainty)).count();
    let whole = RollUp { verdict, certainty, pods: pods.len(), affected, stuck: false };
    let replaced = |rollout: &Rollout<'_>| {
        let mut drifted = pods.iter().filter(|pod| pod.verdict == Verdict::Drifted);
        verdict == Verdict::Drifted && drifted.all(|pod| rollout.replaces(pod.revision))
    };
    match rollout.filter(replaced).map(|rollout| rollout.progress) {
        Some(Progress::Underway) => RollUp { verdict: Verdict::Rolling, ..whole },
        Some(Progress::Stuck) => RollUp { stuck: true, ..whole },
        Some(Progress::Still) | None => whole,
    }
}

impl Rollout<'_> {
    /// Whether it replaces a pod of this revision; what is not known stays.
    fn replaces(&self, revision: Option<&str>) -> bool {
        !self.observed || matches!((revision, self.newest), (Some(of), Some(newest)) if of != newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(verdict: Verdict, revision: &str) -> PodVerdict<'_> {
        let certainty = Certainty::Recorded;
        PodVerdict { verdict, certainty, revision: Some(revision).filter(|text| !text.is_empty()) }
    }

    #[test]
    fn a_workload_is_rolling_while_its_drifted_pods_are_being_replaced() {
        use Progress::{Still, Stuck, Underway};
        use Verdict::{Current, Drifted, Rolling, Unknown};
        let at = |newest, progress| Some(Rollout { newest, observed: true, progress });
        let unseen = Some(Rollout { newest: Some("a"), observed: false, progress: Underway });
        let half = [pod(Drifted, "a"), pod(Drifted, "a"), pod(Current, "b")];
        for (name, pods, rollout, expected) in [
            ("on its way", half.as_slice(), at(Some("b"), Underway), (Rolling, 2, false)),
            ("stuck", &half, at(Some("b"), Stuck), (Drifted, 2, true)),
            ("held", &half, at(Some("b"), Still), (Drifted, 2, false)),
            ("nothing known of it", &half, None, (Drifted, 2, false)),
            ("the newest is not known", &half, at(None, Underway), (Drifted, 2, false)),
            (
                "a change that its controller has yet to see",
                &[pod(Drifted, "a")],
                unseen,
                (Rolling, 1, false),
            ),
            (
                "a new pod drifted, too",
                &[pod(Drifted, "a"), pod(Drifted, "b")],
                at(Some("b"), Underway),
                (Drifted, 2, false),
            ),
            (
                "a pod of an unknown revision drifted",
                &[pod(Drifted, "a"), pod(Drifted, "")],
                at(Some("b"), Underway),
                (Drifted, 2, false),
            ),
            ("nothing drifted", &[pod(Current, "a")], at(Some("b"), Underway), (Current, 1, false)),
            ("doubt rolls, and stays", &[pod(Unknown, "a")], at(Some("b"), Underway), (Unknown, 1, false)),
            ("no pods", &[], at(Some("b"), Underway), (Current, 0, false)),
        ] {
            let RollUp { verdict, affected, stuck, .. } = roll_up(pods, rollout);
            assert_eq!((verdict, affected, stuck), expected, "{name}");
        }
    }

    #[test]
    fn sure_drift_hides_what_is_only_possible() {
        let sure = pod(Verdict::Drifted, "a");
        let possible = PodVerdict { certainty: Certainty::Inferred, ..sure };
        let all = roll_up(&[possible, sure, possible], None);
        assert_eq!((all.certainty, all.pods, all.affected), (Certainty::Recorded, 3, 1));
    }
}
