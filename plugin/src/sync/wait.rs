//! Waiting for a rollout, telling how far it is.

use std::time::Instant;

use jiff::Timestamp;

use super::session::Session;
use crate::api::POLL;
use crate::patience::Patience;
use crate::rollout::{Progress, Rollable};
use crate::workload::WorkloadName;

impl Session<'_> {
    /// Waits until a workload's rollout is complete. `restarted_at` is what the restart has written, and
    /// what must not be taken back; a later restart by somebody else ends the drift as well.
    pub(super) async fn wait(
        &self,
        workload: &WorkloadName,
        restarted_at: Option<String>,
        patience: &Patience<'_>,
    ) -> anyhow::Result<()> {
        let place = format!("{workload} -n {}", workload.namespace);
        loop {
            let rollable = patience.ask(async || Rollable::get(self.client, workload).await).await?;
            if restarted_at.as_ref().is_some_and(|ours| is_taken_back(ours, rollable.restarted_at())) {
                anyhow::bail!(
                    "somebody took the restart back: see who writes its template with kubectl get {place} \
                     --show-managed-fields -o yaml"
                );
            }
            let progress = rollable.progress();
            match &progress {
                Progress::Complete => return Ok(()),
                Progress::Stuck(why) => anyhow::bail!("{why}: see kubectl describe {place}"),
                Progress::Underway { .. } if Instant::now() >= patience.deadline => anyhow::bail!(
                    "not healthy within {:?} ({progress}): see kubectl rollout status {place}, or give it longer \
                     by --timeout",
                    self.args.timeout
                ),
                Progress::Underway { .. } => {}
            }
            patience.bar.advance(&progress);
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Whether what stands in the place of our restart is none, or an older one.
fn is_taken_back(ours: &str, there: Option<&str>) -> bool {
    let Some(there) = there else { return true };
    match (ours.parse::<Timestamp>(), there.parse::<Timestamp>()) {
        (Ok(ours), Ok(there)) => there < ours,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_restart_by_somebody_else_does_not_take_ours_back() {
        for (name, there, expected) in [
            ("ours", Some("2030-01-01T12:00:00Z"), false),
            ("a later one, as kubectl writes it elsewhere", Some("2030-01-01T13:00:01+01:00"), false),
            ("the one before", Some("2030-01-01T12:59:59+01:00"), true),
            ("none", None, true),
        ] {
            assert_eq!(is_taken_back("2030-01-01T12:00:00Z", there), expected, "{name}");
        }
    }
}
