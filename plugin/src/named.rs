//! Workloads and pods that a command is about, where any pod may be named by itself.

use std::collections::BTreeSet;

use kube::Client;

use crate::findings::{FindError, check};
use crate::inventory::Inventory;
use crate::scope::{Selector, Target};
use crate::survey::{Depth, JudgementArgs, SurveyedPod, survey_to};
use crate::workload::WorkloadName;

/// What is surveyed of the cluster for some names.
pub(crate) struct Look {
    pub(crate) inventory: Inventory,
    /// All pods of the workloads that are named, or of which a pod is.
    pub(crate) pods: Vec<SurveyedPod>,
    targets: Vec<Target>,
}

impl Look {
    /// Fetches and judges the named workloads and those of the named pods; without a name, all.
    ///
    /// # Errors
    /// When it cannot be fetched, or a name does not exist.
    pub(crate) async fn at(
        targets: &[Target],
        depth: Depth,
        client: &Client,
        namespace: Option<&str>,
        selector: Selector<'_>,
        judgement: &JudgementArgs,
    ) -> Result<Self, FindError> {
        let mut inventory = Inventory::fetch(client, namespace, selector).await?;
        inventory.ensure_known(targets)?;
        let of_pods: BTreeSet<WorkloadName> = {
            let named = inventory.pods.iter().filter(|pod| targets.iter().any(|t| t.is_pod(&pod.name)));
            named.map(|pod| inventory.workload(pod)).collect()
        };
        let wanted = |workload: &WorkloadName| {
            targets.is_empty()
                || of_pods.contains(workload)
                || targets.iter().any(|target| target.matches(workload))
        };
        let pods = survey_to(depth, client, &inventory, judgement, wanted).await?;
        let look = Self { inventory, pods, targets: targets.to_vec() };
        let unmatched =
            |target: &&Target| !look.pods.iter().any(|pod| target.takes(&pod.workload, &pod.metadata.name));
        check(client, namespace, look.pods.is_empty(), targets.iter().filter(unmatched)).await?;
        Ok(look)
    }

    /// Whether a pod itself is meant, or its whole workload.
    pub(crate) fn takes(&self, pod: &SurveyedPod) -> bool {
        self.targets.is_empty()
            || self.targets.iter().any(|target| target.takes(&pod.workload, &pod.metadata.name))
    }
}
