//! The rights that commands need, and what fails without each.

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::api::PostParams;
use kube::{Api, Client};
use reload_core::hash_key::HashKey;

use super::facts::Place;
use crate::api::{ApiError, Resource, get_path};

/// A right, and whether the user has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) verb: &'static str,
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) name: Option<&'static str>,
    /// `None`: in all.
    pub(super) namespace: Option<String>,
    /// What fails without it.
    pub(super) without: &'static str,
    /// Whether nothing works without it.
    pub(super) vital: bool,
    pub(super) allowed: bool,
}

/// Verb, API group, resource, and what fails without the right. The first two are vital.
const NEEDED: [(&str, &str, &str, &str); 23] = [
    ("list", "", "pods", "no command works"),
    ("get", "", "pods", "status cannot look into pods that may have drifted"),
    ("list", "", "configmaps", "drift by ConfigMaps is not found out"),
    ("get", "", "configmaps", "which keys of ConfigMaps changed is not known"),
    ("list", "", "secrets", "drift by Secrets is not found out"),
    ("get", "", "secrets", "which keys of Secrets changed is not known"),
    ("list", "apps", "replicasets", "Deployments are shown as ReplicaSets, and sync cannot restart them"),
    ("list", "apps", "controllerrevisions", "immutable sources that were made again are not found out"),
    ("get", "apps", "deployments", "rollouts of Deployments are not seen"),
    ("get", "apps", "statefulsets", "rollouts of StatefulSets are not seen"),
    ("get", "apps", "daemonsets", "rollouts of DaemonSets are not seen"),
    ("list", "apps", "deployments", "options on Deployments are not seen, nor by used-by those without pods"),
    (
        "list",
        "apps",
        "statefulsets",
        "options on StatefulSets are not seen, nor by used-by those without pods",
    ),
    ("list", "apps", "daemonsets", "options on DaemonSets are not seen, nor by used-by those without pods"),
    ("list", "batch", "jobs", "options on Jobs are not seen, nor by used-by those without pods"),
    ("list", "batch", "cronjobs", "used-by does not find CronJobs"),
    ("patch", "apps", "deployments", "sync cannot restart Deployments"),
    ("patch", "apps", "statefulsets", "sync cannot restart StatefulSets"),
    ("patch", "apps", "daemonsets", "sync cannot restart DaemonSets"),
    ("patch", "", "pods", "adopt writes no records"),
    ("create", "", "pods/eviction", "sync --strategy evict replaces no pod"),
    ("create", "events.k8s.io", "events", "sync leaves no Event on what it restarts"),
    ("list", "", "namespaces", "options on namespaces are not seen"),
];

/// The same, where there are Argo Rollouts.
const NEEDED_FOR_ROLLOUTS: [(&str, &str, &str, &str); 3] = [
    ("get", "argoproj.io", "rollouts", "rollouts of Argo Rollouts are not seen"),
    (
        "list",
        "argoproj.io",
        "rollouts",
        "options on Rollouts are not seen, nor by used-by those without pods",
    ),
    ("patch", "argoproj.io", "rollouts", "sync cannot restart Rollouts"),
];

/// All of them, for a place.
fn needed(place: &Place, rollouts: bool) -> Vec<Right> {
    let right = |(position, (verb, group, resource, without)): (usize, _)| Right {
        verb,
        group,
        resource,
        name: None,
        namespace: place.namespace.clone(),
        without,
        vital: position < 2,
        allowed: false,
    };
    let of_rollouts = NEEDED_FOR_ROLLOUTS.into_iter().filter(|_| rollouts);
    let mut rights: Vec<Right> = NEEDED.into_iter().chain(of_rollouts).enumerate().map(right).collect();
    rights.push(Right {
        verb: "get",
        group: "",
        resource: "secrets",
        name: Some(HashKey::SECRET_NAME),
        namespace: Some(place.install_namespace.clone()),
        without: "changed Secrets are judged by times alone",
        vital: false,
        allowed: false,
    });
    rights
}

/// Asks the API server for each of them.
///
/// # Errors
/// When it does not answer.
pub(super) async fn fetch(client: &Client, place: &Place) -> Result<Vec<Right>, ApiError> {
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let asked = needed(place, are_rollouts_served(client).await).into_iter().map(async |right| {
        let review = SelfSubjectAccessReview { spec: right.spec(), ..Default::default() };
        let answer = reviews.create(&PostParams::default(), &review).await;
        answer.map(|review| Right { allowed: review.status.is_some_and(|status| status.allowed), ..right })
    });
    let resource = Resource {
        group: "/apis/authorization.k8s.io/v1",
        plural: "selfsubjectaccessreviews",
        namespace: None,
        name: None,
    };
    let answers: Result<Vec<Right>, kube::Error> = join_all(asked).await.into_iter().collect();
    answers.map_err(|error| ApiError::of(error, "create", &resource))
}

/// Whether the cluster knows Argo Rollouts. Whoever may log in may ask that.
async fn are_rollouts_served(client: &Client) -> bool {
    let Ok(json) = get_path(client, "/apis/argoproj.io/v1alpha1").await else { return false };
    let list: Result<APIResourceList, _> = serde_json::from_slice(&json);
    list.is_ok_and(|list| list.resources.iter().any(|resource| resource.name == "rollouts"))
}

impl Right {
    fn spec(&self) -> SelfSubjectAccessReviewSpec {
        SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(self.verb.to_owned()),
                group: Some(self.group.to_owned()),
                resource: Some(self.split().0.to_owned()),
                subresource: self.split().1.map(str::to_owned),
                name: self.name.map(str::to_owned),
                namespace: self.namespace.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        }
    }

    /// `pods/eviction` is what lies below pods.
    fn split(&self) -> (&'static str, Option<&'static str>) {
        self.resource.split_once('/').map_or((self.resource, None), |(whole, below)| (whole, Some(below)))
    }

    /// `list secrets in namespace shop`.
    pub(super) fn what(&self) -> String {
        let name = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        let place = self
            .namespace
            .as_ref()
            .map_or_else(|| "all namespaces".to_owned(), |namespace| format!("namespace {namespace}"));
        format!("{} {}{name} in {place}", self.verb, self.resource)
    }

    /// How to look at it oneself.
    pub(super) fn check(&self) -> String {
        let (resource, below) = self.split();
        let resource = match self.group {
            "" => resource.to_owned(),
            group => format!("{resource}.{group}"),
        };
        let below = below.map(|below| format!(" --subresource={below}")).unwrap_or_default();
        let name = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        let place =
            self.namespace.as_ref().map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
        format!("kubectl auth can-i {} {resource}{name}{below} {place}", self.verb)
    }
}
