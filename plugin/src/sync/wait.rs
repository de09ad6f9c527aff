//! Waiting for a rollout, telling how far it is.

use std::time::Instant;

use super::session::Session;
use crate::api::POLL;
use crate::patience::Patience;
use crate::rollout::{Progress, Rollable};
use crate::workload::WorkloadName;

impl Session<'_> {
    /// Waits until a workload's rollout is complete. `restarted_at` is what the restart has written, and
    /// what must not be taken back.
    pub(super) async fn wait(
        &self,
        workload: &WorkloadName,
        restarted_at: Option<String>,
        patience: &Patience<'_>,
    ) -> anyhow::Result<()> {
        let place = format!("{workload} -n {}", workload.namespace);
        loop {
            let rollable = patience.ask(async || Rollable::get(self.client, workload).await).await?;
            if restarted_at.is_some() && rollable.restarted_at() != restarted_at.as_deref() {
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
