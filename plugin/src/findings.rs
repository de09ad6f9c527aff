//! Findings: what a command is about, fetched, judged and rolled up to workloads.

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use reload_core::verdict::{Finding, Reason};

use crate::api::{ApiError, Resource, get_object};
use crate::inventory::Inventory;
use crate::pods::Unjudged;
use crate::report::{WorkloadReport, find_rolling, roll_up};
use crate::rollout;
use crate::scope::{Selector, Target};
use crate::snapshot::Snapshot;
use crate::survey::{JudgementArgs, SurveyedPod, survey};
use crate::workload::{Kind, WorkloadName};

/// Why nothing is known of the workloads that a command is about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A namespace that is named and does not exist.
    #[error("namespace {0:?} does not exist: choose another with -n, or see kubectl get namespaces")]
    NoNamespace(String),
    /// A workload that is named and does not exist.
    #[error("{workload} does not exist in namespace {namespace:?}: see kubectl get {kind} -n {namespace}")]
    NoWorkload { workload: String, namespace: String, kind: String },
    /// A workload of a controller of others, or all of a kind, of which there is nothing.
    #[error(
        "no pod of {what} runs, or it is written otherwise: names as they are shown by kubectl reload status {place} --all -o name"
    )]
    NoPodOf { what: String, place: String },
    /// A pod that is named where workloads are wanted.
    #[error("pod/{name} is one of {owner}: name that one")]
    NoWorkloadItself { name: String, owner: String },
    /// A workload that is named, and that files do not hold.
    #[error("no pod of {0} is in the files: see what is there without naming it")]
    NotHeld(String),
}

/// What was found.
pub(crate) struct Found {
    pub(crate) reports: Vec<WorkloadReport>,
    /// The pods that they are about.
    pub(crate) pods: Vec<SurveyedPod>,
}

impl Found {
    fn holds(&self, target: &Target) -> bool {
        self.pods.iter().any(|pod| target.takes(&pod.workload, &pod.metadata.name))
    }

    /// Whether a source could not be looked at that a pod uses, or not be compared for want of the hash key, or
    /// a pod uses more than is looked at.
    pub(crate) fn is_incomplete(&self) -> bool {
        let not_readable = |finding: &Finding| matches!(finding.reason, Reason::NotReadable(_));
        let too_many = |pod: &SurveyedPod| matches!(pod.problem, Some(Unjudged::TooManyReferences));
        self.pods.iter().any(|pod| pod.uncompared || too_many(pod) || pod.findings.iter().any(not_readable))
    }
}

/// Fetches and judges the workloads that a command is about.
///
/// # Errors
/// When they cannot be fetched, or a name that was given does not exist or is that of a workload's pod.
pub(crate) async fn find(
    client: &Client,
    namespace: Option<&str>,
    selector: Selector<'_>,
    targets: &[Target],
    judgement: &JudgementArgs,
) -> Result<Vec<WorkloadReport>, FindError> {
    let found = find_with_pods(client, namespace, selector, targets, judgement).await?;
    for pod in found.pods.iter().filter(|pod| pod.workload.kind != Kind::Pod) {
        if targets.iter().any(|target| target.is_pod(&pod.metadata.name)) {
            let (name, owner) = (pod.metadata.name.clone(), pod.workload.to_string());
            return Err(FindError::NoWorkloadItself { name, owner });
        }
    }
    Ok(found.reports)
}

/// The same, with the pods, each of which may be named by itself, whatever owns it.
///
/// # Errors
/// When they cannot be fetched, or a name that was given does not exist.
pub(crate) async fn find_with_pods(
    client: &Client,
    namespace: Option<&str>,
    selector: Selector<'_>,
    targets: &[Target],
    judgement: &JudgementArgs,
) -> Result<Found, FindError> {
    let inventory = Inventory::fetch(client, namespace, selector).await?;
    let found = find_among(client, inventory, targets, judgement, None).await?;
    let unmatched = |target: &&Target| !found.holds(target);
    check(client, namespace, found.reports.is_empty(), targets.iter().filter(unmatched)).await?;
    Ok(found)
}

/// Judges what files hold in place of a cluster; without a namespace, whatever is named may be in any.
///
/// # Errors
/// When a kind is not held that nothing can be judged without, or a name that was given is not there.
pub(crate) async fn find_held(
    snapshot: &Arc<Snapshot>,
    namespace: Option<&str>,
    selector: Selector<'_>,
    targets: &[Target],
    judgement: &JudgementArgs,
) -> Result<Found, FindError> {
    let client = snapshot.client();
    let mut inventory = Inventory::fetch(&client, namespace, selector).await?;
    inventory.doubt_absences(|namespace, kind| snapshot.doubt_absence(namespace, kind));
    let found = find_among(&client, inventory, targets, judgement, Some(snapshot.taken_at())).await?;
    let named = targets.iter().filter_map(|target| Some((target, target.name.as_ref()?)));
    for (target, name) in named {
        if !found.holds(target) {
            return Err(FindError::NotHeld(format!("{}/{name}", target.kind.singular())));
        }
    }
    Ok(found)
}

/// Judges what an inventory holds, at that time; without one, now.
async fn find_among(
    client: &Client,
    mut inventory: Inventory,
    targets: &[Target],
    judgement: &JudgementArgs,
    at: Option<Timestamp>,
) -> Result<Found, FindError> {
    inventory.ensure_known(targets)?;
    inventory.select_named(targets);
    let pods = survey(client, &inventory, judgement, |_| true).await?;
    let mut reports = roll_up(&pods);
    find_rolling(client, &inventory, &pods, &mut reports, at).await?;
    Ok(Found { reports, pods })
}

/// Whether the namespace exists where nothing was found in it, and what was named and not found.
///
/// # Errors
/// When one does not exist.
pub(crate) async fn check<'a>(
    client: &Client,
    namespace: Option<&str>,
    empty: bool,
    unmatched: impl Iterator<Item = &'a Target>,
) -> Result<(), FindError> {
    let unmatched: Vec<&Target> = unmatched.collect();
    // What kinds others have is not known: one that nothing is of may be misspelt.
    if let Some(Target { kind: kind @ Kind::Other(_), name }) =
        unmatched.iter().find(|target| matches!(target.kind, Kind::Other(_)))
    {
        let of = name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        let place = namespace.map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
        return Err(FindError::NoPodOf { what: format!("{}{of}", kind.singular()), place });
    }
    let Some(namespace) = namespace else { return Ok(()) };
    if empty {
        check_namespace(client, namespace).await?;
    }
    for target in unmatched {
        check_workload(client, namespace, target).await?;
    }
    Ok(())
}

/// Judges one pod of a workload as it is now, among all the others; `None` where it is gone.
///
/// # Errors
/// When it cannot be fetched.
pub(crate) async fn find_pod(
    client: &Client,
    workload: &WorkloadName,
    uid: &str,
    judgement: &JudgementArgs,
) -> Result<Option<WorkloadReport>, FindError> {
    let mut inventory = Inventory::fetch(client, Some(&workload.namespace), Selector::default()).await?;
    inventory.select(uid);
    let pods = survey(client, &inventory, judgement, |of| of == workload).await?;
    Ok(roll_up(&pods).pop())
}

/// An empty answer about a namespace that does not exist is no answer.
async fn check_namespace(client: &Client, namespace: &str) -> Result<(), FindError> {
    let resource =
        Resource { group: "/api/v1", plural: "namespaces", namespace: None, name: Some(namespace) };
    match get_object(client, resource).await {
        Err(error) if error.is_not_found() => Err(FindError::NoNamespace(namespace.to_owned())),
        // Whoever may list pods need not have the right to read namespaces.
        _ => Ok(()),
    }
}

async fn check_workload(client: &Client, namespace: &str, target: &Target) -> Result<(), FindError> {
    let Some(name) = &target.name else { return Ok(()) };
    let workload =
        WorkloadName { namespace: namespace.to_owned(), kind: target.kind.clone(), name: name.clone() };
    match get_object(client, rollout::resource(&workload)).await {
        Err(error) if error.is_not_found() => Err(FindError::NoWorkload {
            workload: workload.to_string(),
            namespace: namespace.to_owned(),
            kind: target.kind.singular(),
        }),
        Err(error) if !error.is_forbidden() => Err(error.into()),
        _ => Ok(()),
    }
}
