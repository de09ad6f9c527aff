//! Who owns what the webhook makes: its own service account, so that Kubernetes' garbage collection
//! takes it away when the webhook is uninstalled, by whatever installed it.
//!
//! This takes no right but that to ask who one is, which every account has.

use std::time::Duration;

use k8s_openapi::api::authentication::v1::{SelfSubjectReview, UserInfo};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::api::{Api, PostParams};

/// How long the answer may take; without it there is no owner.
const PATIENCE: Duration = Duration::from_secs(5);

/// The account of a client, for objects in one namespace.
#[derive(Clone)]
pub struct Account {
    reviews: Api<SelfSubjectReview>,
    namespace: String,
}

impl Account {
    /// Nothing is asked yet.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { reviews: Api::all(client), namespace: namespace.to_owned() }
    }

    /// The owner of what is made in the namespace: the client's service account, if it is one of that
    /// namespace. None for people and for others, and where the API server does not tell.
    pub async fn owner(&self) -> Option<OwnerReference> {
        let params = PostParams::default();
        let review = SelfSubjectReview::default();
        let asked = tokio::time::timeout(PATIENCE, self.reviews.create(&params, &review)).await;
        match asked {
            Ok(Ok(review)) => owner(&review.status?.user_info?, &self.namespace),
            Ok(Err(error)) => {
                tracing::warn!("what is made now stays after an uninstallation: {error}");
                None
            }
            Err(_) => {
                tracing::warn!("what is made now stays after an uninstallation: no answer in time");
                None
            }
        }
    }
}

/// By what the API server says of a service account: `system:serviceaccount:NAMESPACE:NAME`, and its uid.
fn owner(user: &UserInfo, namespace: &str) -> Option<OwnerReference> {
    let account = user.username.as_ref()?.strip_prefix("system:serviceaccount:")?;
    let (of, name) = account.split_once(':')?;
    (of == namespace).then_some(OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        uid: user.uid.clone()?,
        // To hold up the owner's deletion would take a right.
        block_owner_deletion: None,
        controller: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_owns_in_its_own_namespace_and_nobody_else_does() {
        let user = |name: &str, uid: Option<&str>| UserInfo {
            username: Some(name.to_owned()),
            uid: uid.map(str::to_owned),
            ..UserInfo::default()
        };
        let account = "system:serviceaccount:tools:reload";
        let owned = owner(&user(account, Some("u")), "tools").unwrap();
        assert_eq!(
            (owned.kind.as_str(), owned.name.as_str(), owned.uid.as_str()),
            ("ServiceAccount", "reload", "u")
        );
        for (name, uid, namespace) in [
            (account, Some("u"), "other"),
            (account, None, "tools"),
            ("kubernetes-admin", Some("u"), "tools"),
            ("system:serviceaccount:tools", Some("u"), "tools"),
        ] {
            assert_eq!(owner(&user(name, uid), namespace), None, "{name} in {namespace}");
        }
    }
}
