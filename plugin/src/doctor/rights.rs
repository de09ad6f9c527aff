//! The rights that commands need, and what fails without each.

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use reload_core::hash_key::HashKey;

use super::facts::Place;
use crate::api::{ApiError, Resource};

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
const NEEDED: [(&str, &str, &str, &str); 18] = [
    ("list", "", "pods", "no command works"),
    ("get", "", "pods", "status cannot look into pods that may have drifted"),
    ("list", "", "configmaps", "drift by ConfigMaps is not found out"),
    ("get", "", "configmaps", "which keys of ConfigMaps changed is not known"),
    ("list", "", "secrets", "drift by Secrets is not found out"),
    ("get", "", "secrets", "which keys of Secrets changed is not known"),
    ("list", "apps", "replicasets", "Deployments are shown as ReplicaSets, and sync cannot restart them"),
    ("list", "apps", "controllerrevisions", "immutable sources that were made again are not found out"),
    ("get", "apps", "deployments", "rollouts of Deployments are not seen"),
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
    ("create", "events.k8s.io", "events", "sync leaves no Event on what it restarts"),
];

/// All of them, for a place.
fn needed(place: &Place) -> Vec<Right> {
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
    let mut rights: Vec<Right> = NEEDED.into_iter().enumerate().map(right).collect();
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
    let asked = needed(place).into_iter().map(async |right| {
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

impl Right {
    fn spec(&self) -> SelfSubjectAccessReviewSpec {
        SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(self.verb.to_owned()),
                group: Some(self.group.to_owned()),
                resource: Some(self.resource.to_owned()),
                name: self.name.map(str::to_owned),
                namespace: self.namespace.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        }
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
        let resource = match self.group {
            "" => self.resource.to_owned(),
            group => format!("{}.{group}", self.resource),
        };
        let name = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        let place =
            self.namespace.as_ref().map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
        format!("kubectl auth can-i {} {resource}{name} {place}", self.verb)
    }
}
