//! The objects of an installation in the cluster: read, applied, deleted.

use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::DynamicObject;
use kube::core::params::ValidationDirective;
use kube::{Client, Error};
use serde_json::Value;

use super::object::{Id, Kind, Object};
use crate::api::ApiError;

/// The field manager of everything that is installed. Flux takes back the fields of managers whose name
/// begins with `kubectl`.
pub(crate) const MANAGER: &str = "reload-install";

/// A field that somebody else owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// `conflict with "kubectl" using apps/v1`
    pub(crate) with: String,
    /// `.spec.replicas`
    pub(crate) field: String,
}

/// Why an object is not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("others own fields of it")]
    Conflicts(Vec<Conflict>),
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// How something is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) dry_run: bool,
    /// Takes fields over that others own.
    pub(crate) force: bool,
}

/// The cluster, as far as an installation is concerned.
#[derive(Clone, Copy)]
pub(crate) struct Objects<'a> {
    pub(crate) client: &'a Client,
}

impl Objects<'_> {
    fn api(&self, kind: &Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        let (client, resource) = (self.client.clone(), kind.api_resource());
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }

    /// An object, if it is there.
    pub(crate) async fn get(&self, id: &Id) -> Result<Option<Object>, ApiError> {
        let found = self.api(id.kind, id.namespace.as_deref()).get_opt(&id.name).await;
        let found = found.map_err(|error| ApiError::of(error, "get", &id.resource()))?;
        found.map(|found| object(id, "get", found)).transpose()
    }

    /// Those of a kind with these labels, in the namespace where the kind has one.
    pub(crate) async fn list(
        &self,
        kind: &'static Kind,
        namespace: &str,
        labels: &str,
    ) -> Result<Vec<Object>, ApiError> {
        let namespace = kind.namespaced.then_some(namespace);
        let params = ListParams::default().labels(labels);
        let list = self.api(kind, namespace).list(&params).await;
        let list = list.map_err(|error| ApiError::of(error, "list", &kind.resource(namespace)))?;
        let of_list = |item: DynamicObject| {
            let id = Id {
                kind,
                namespace: namespace.map(str::to_owned),
                name: item.metadata.name.clone().unwrap_or_default(),
            };
            object(&id, "list", item)
        };
        list.items.into_iter().map(of_list).collect()
    }

    /// Applies an object on the server, which refuses fields that it does not know; gives what is there
    /// then, or would be.
    pub(crate) async fn apply(&self, object: &Object, how: How) -> Result<Object, ApplyError> {
        let id = &object.id;
        let params = PatchParams {
            dry_run: how.dry_run,
            force: how.force,
            field_manager: Some(MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let api = self.api(id.kind, id.namespace.as_deref());
        match api.patch(&id.name, &params, &Patch::Apply(&object.json)).await {
            Ok(applied) => Ok(self::object(id, "patch", applied)?),
            Err(error) => Err(match conflicts(&error) {
                conflicts if conflicts.is_empty() => ApiError::of(error, "patch", &id.resource()).into(),
                conflicts => ApplyError::Conflicts(conflicts),
            }),
        }
    }

    /// Deletes an object that is the one that was seen; what is gone is no error. Where `last`, it goes
    /// only after all that belongs to it.
    pub(crate) async fn delete(&self, seen: &Object, last: bool, dry_run: bool) -> Result<(), ApiError> {
        let id = &seen.id;
        let uid = seen.uid().map(str::to_owned);
        let policy = if last { PropagationPolicy::Foreground } else { PropagationPolicy::Background };
        let params = DeleteParams {
            dry_run,
            propagation_policy: Some(policy),
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::default()
        };
        match self.api(id.kind, id.namespace.as_deref()).delete(&id.name, &params).await {
            Ok(_) => Ok(()),
            Err(Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(ApiError::of(error, "delete", &id.resource())),
        }
    }
}

fn object(id: &Id, verb: &str, found: DynamicObject) -> Result<Object, ApiError> {
    let malformed = |_| ApiError::Malformed { what: format!("{verb} {id}") };
    let mut json = serde_json::to_value(found).map_err(malformed)?;
    // Items of a list do not say what they are.
    json["apiVersion"] = Value::String(id.kind.api_version());
    json["kind"] = Value::String(id.kind.name.to_owned());
    Ok(Object { id: id.clone(), json })
}

/// The fields that others own, where that is the error.
fn conflicts(error: &Error) -> Vec<Conflict> {
    let Error::Api(status) = error else { return Vec::new() };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| Conflict { with: cause.message.clone(), field: cause.field.clone() })
        .collect()
}
