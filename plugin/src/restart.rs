//! Restarts: what `kubectl rollout restart` does, under the resourceVersion that was judged.

mod memory;
mod people;

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use reload_core::annotation::RESTARTED_FOR;
use serde_json::json;

use crate::api::ApiError;
use crate::rollout::{Rollable, api_resource, resource};
use crate::workload::{Kind, WorkloadName};

pub(crate) use memory::Memory;

/// The field manager of every write. Flux takes back the fields of managers whose name begins with
/// `kubectl`, which would roll every workload twice.
pub(crate) const MANAGER: &str = "reload-sync";

/// The annotation that `kubectl rollout restart` sets.
pub(crate) const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// The time as that annotation holds it, in whole seconds.
pub(crate) fn at(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// How a restart went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restarted {
    /// The template is changed.
    Yes,
    /// It was restarted in this very second before, and the patch changed nothing.
    Unchanged,
    /// Somebody else changed the workload meanwhile: judge it again.
    Conflict,
}

/// Sets `kubectl.kubernetes.io/restartedAt` on the pod template, or `spec.restartAt` of a Rollout, and on the workload what for, unless
/// the workload has changed since `seen` was read.
///
/// # Errors
/// What the API server said.
pub(crate) async fn restart(
    client: &Client,
    workload: &WorkloadName,
    seen: &Rollable,
    now: Timestamp,
    reason: &Memory,
    dry_run: bool,
) -> Result<Restarted, ApiError> {
    let spec = match workload.kind {
        Kind::Rollout => json!({"restartAt": at(now)}),
        _ => json!({"template": {"metadata": {"annotations": {RESTARTED_AT: at(now)}}}}),
    };
    let patch = json!({
        "metadata": {
            "resourceVersion": seen.resource_version(),
            "annotations": {RESTARTED_FOR: reason.text()},
        },
        "spec": spec,
    });
    let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let of_kind = api_resource(&workload.kind);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &workload.namespace, &of_kind);
    match api.patch(&workload.name, &params, &Patch::Merge(&patch)).await {
        Ok(object) if object.metadata.generation == seen.generation() => Ok(Restarted::Unchanged),
        Ok(_) => Ok(Restarted::Yes),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Restarted::Conflict),
        Err(error) => Err(ApiError::of(error, "patch", &resource(workload))),
    }
}

/// Leaves an Event on the workload, where its kind is known, that names the sources and keys. It is a courtesy: whoever may
/// not create Events has restarted the workload all the same.
pub(crate) async fn tell(
    client: &Client,
    workload: &WorkloadName,
    uid: Option<&str>,
    action: &str,
    note: String,
    now: Timestamp,
) {
    if workload.kind.resource().is_none() {
        return;
    }
    let event = Event {
        // Named as client-go names them.
        metadata: ObjectMeta {
            name: Some(format!("{}.{:x}", workload.name, now.as_nanosecond())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        action: Some(action.to_owned()),
        reason: Some("ConfigurationChanged".to_owned()),
        type_: Some("Normal".to_owned()),
        // The API server takes notes of up to 1,024 bytes.
        note: Some(note.chars().filter(char::is_ascii).take(1000).collect()),
        reporting_controller: Some("kubectl-reload.dev/sync".to_owned()),
        reporting_instance: Some(MANAGER.to_owned()),
        regarding: Some(k8s_openapi::api::core::v1::ObjectReference {
            api_version: Some(api_resource(&workload.kind).api_version),
            kind: Some(workload.kind.name().to_owned()),
            name: Some(workload.name.clone()),
            namespace: Some(workload.namespace.clone()),
            uid: uid.map(str::to_owned),
            ..Default::default()
        }),
        ..Event::default()
    };
    let events: Api<Event> = Api::namespaced(client.clone(), &workload.namespace);
    if let Err(error) = events.create(&PostParams::default(), &event).await {
        let error = ApiError::of(
            error,
            "create",
            &crate::api::Resource {
                group: "/apis/events.k8s.io/v1",
                plural: "events",
                namespace: Some(&workload.namespace),
                name: None,
            },
        );
        tracing::info!("no Event was left on {workload}: {error}");
    }
}
