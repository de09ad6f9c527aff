//! Everything that refers to sources: pod templates of workloads, and pods.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::api::core::v1::PodSpec;
use kube::Client;
use reload_core::options::{Carrier, Options};
use reload_core::reference::{MAX_PAIRS, Reference, pairs, references};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::annotations::OwnAnnotations;
use crate::api::{ApiError, Resource, get_path, is_there, list_objects};
use crate::workload::{Kind, Owner, WorkloadName};

/// The resources whose objects hold a pod template, with the kind of their objects.
const RESOURCES: [(&str, &str, &str, &str); 7] = [
    ("/apis/apps/v1", "deployments", "apps/v1", "Deployment"),
    ("/apis/apps/v1", "statefulsets", "apps/v1", "StatefulSet"),
    ("/apis/apps/v1", "daemonsets", "apps/v1", "DaemonSet"),
    ("/apis/apps/v1", "replicasets", "apps/v1", "ReplicaSet"),
    ("/apis/batch/v1", "jobs", "batch/v1", "Job"),
    ("/apis/batch/v1", "cronjobs", "batch/v1", "CronJob"),
    ("/apis/argoproj.io/v1alpha1", "rollouts", "argoproj.io/v1alpha1", "Rollout"),
];

/// A pod template or a pod, with what it refers to.
pub(super) struct Template {
    pub(super) workload: WorkloadName,
    /// The name of the pod; `None` of a template.
    pub(super) pod: Option<String>,
    pub(super) references: Vec<Reference>,
}

/// All of them, of one namespace or of all.
#[derive(Default)]
pub(super) struct Templates {
    pub(super) all: Vec<Template>,
    /// What could not be looked at.
    pub(super) incomplete: Vec<String>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    spec: Spec,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    namespace: String,
    name: String,
    uid: String,
    #[serde(default, rename = "deletionTimestamp", deserialize_with = "is_there")]
    is_leaving: bool,
    #[serde(default, rename = "ownerReferences", deserialize_with = "Owner::controller")]
    controller: Option<Owner>,
    #[serde(default)]
    annotations: OwnAnnotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    template: Option<PodTemplate>,
    job_template: Option<JobTemplate>,
}

#[derive(Deserialize)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Deserialize)]
struct JobSpec {
    template: Option<PodTemplate>,
}

#[derive(Deserialize)]
struct PodTemplate {
    #[serde(default)]
    metadata: TemplateMetadata,
    spec: Option<PodSpec>,
}

#[derive(Default, Deserialize)]
struct TemplateMetadata {
    #[serde(default)]
    annotations: OwnAnnotations,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Deserialize)]
struct PodObject {
    metadata: Metadata,
    spec: PodSpec,
}

impl Object {
    /// A Job that has run makes no pods any more.
    fn has_ended(&self) -> bool {
        let conditions = self.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| {
            matches!(condition.kind.as_str(), "Complete" | "Failed") && condition.status == "True"
        })
    }
}

impl Templates {
    /// Fetches them, all lists at once. What may not be listed is left out and told.
    ///
    /// # Errors
    /// When nothing can be listed, or a list fails for another reason than a missing right.
    pub(super) async fn fetch(client: &Client, namespace: Option<&str>) -> Result<Self, ApiError> {
        let lists =
            RESOURCES.map(|(group, plural, ..)| list::<Object>(client, group, plural, namespace, &[]));
        let live = [("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed")];
        let (lists, pods) = tokio::join!(
            futures::future::join_all(lists),
            list::<PodObject>(client, "/api/v1", "pods", namespace, &live)
        );
        let mut templates = Self::default();
        let mut owners = Owners::default();
        let mut answered = false;
        for ((group, _, api_version, kind), objects) in RESOURCES.into_iter().zip(lists) {
            match objects {
                Ok(objects) => {
                    answered = true;
                    objects
                        .into_iter()
                        .for_each(|object| templates.add(&mut owners, api_version, kind, object));
                }
                // The CustomResourceDefinition is not there.
                Err(error) if error.is_not_found() => {}
                Err(error) if error.is_forbidden() && !is_served(client, group).await => {}
                Err(error) => templates.leave_out(error)?,
            }
        }
        match pods {
            Ok(pods) => pods.into_iter().for_each(|pod| templates.add_pod(&owners, pod)),
            Err(error) if !answered => return Err(error),
            Err(error) => templates.leave_out(error)?,
        }
        Ok(templates)
    }

    fn leave_out(&mut self, error: ApiError) -> Result<(), ApiError> {
        if !error.is_forbidden() {
            return Err(error);
        }
        self.miss(error.to_string());
        Ok(())
    }

    /// Those of a template, or of the pod of that name; where they are too many, none, and that is told.
    fn references(
        &mut self,
        workload: &WorkloadName,
        pod: Option<&str>,
        spec: &PodSpec,
        annotations: &OwnAnnotations,
    ) -> Vec<Reference> {
        let namespace = &workload.namespace;
        let object = format!("{workload} in namespace {namespace}");
        let extra = match Options::parse(Carrier::Pod, &object, annotations) {
            Ok(options) => options.extra,
            Err(error) => {
                self.miss(error.to_string());
                BTreeSet::new()
            }
        };
        if pairs(spec, extra.len()) <= MAX_PAIRS {
            return references(spec, &extra);
        }
        let pod = pod.map(|pod| format!("pod {pod} of ")).unwrap_or_default();
        self.miss(format!("{pod}{object}: too many references"));
        Vec::new()
    }

    fn miss(&mut self, why: String) {
        tracing::warn!("users may be missing: {why}");
        self.incomplete.push(why);
    }

    fn add(&mut self, owners: &mut Owners, api_version: &str, kind: &str, object: Object) {
        let ended = object.has_ended();
        let Object { metadata, spec, .. } = object;
        if let Some(owner) = &metadata.controller
            && matches!(kind, "ReplicaSet" | "Job")
        {
            // It is of the workload above it, whose own template speaks.
            owners.0.insert(metadata.uid, owner.workload(&metadata.namespace));
            return;
        }
        let workload = Owner::workload_of(api_version, kind, &metadata.name, &metadata.namespace);
        let template = spec.template.or(spec.job_template.and_then(|job| job.spec.template));
        if let Some(PodTemplate { metadata: own, spec: Some(spec) }) = template.filter(|_| !ended) {
            let references = self.references(&workload, None, &spec, &own.annotations);
            self.all.push(Template { workload, pod: None, references });
        }
    }

    fn add_pod(&mut self, owners: &Owners, PodObject { metadata, spec }: PodObject) {
        if metadata.is_leaving {
            return;
        }
        let workload = match &metadata.controller {
            Some(owner) => {
                let above = owners.0.get(&owner.uid).cloned();
                above.unwrap_or_else(|| owner.workload(&metadata.namespace))
            }
            None => WorkloadName {
                namespace: metadata.namespace.clone(),
                kind: Kind::Pod,
                name: metadata.name.clone(),
            },
        };
        let references = self.references(&workload, Some(&metadata.name), &spec, &metadata.annotations);
        self.all.push(Template { workload, pod: Some(metadata.name), references });
    }
}

/// By the uid of a ReplicaSet or a Job, the workload above it.
#[derive(Default)]
struct Owners(HashMap<String, WorkloadName>);

/// Whether a kind of others is served. Who may not list it is told the same whether it is or not.
async fn is_served(client: &Client, group: &str) -> bool {
    !get_path(client, group).await.is_err_and(|error| error.is_not_found())
}

async fn list<T: DeserializeOwned + Send + 'static>(
    client: &Client,
    group: &str,
    plural: &str,
    namespace: Option<&str>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError> {
    list_objects(client, Resource { group, plural, namespace, name: None }, query).await
}
