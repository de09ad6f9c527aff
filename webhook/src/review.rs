//! Reviews: from an AdmissionReview to the answer, which always admits the pod.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use k8s_openapi::api::core::v1::Pod;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation};
use reload_core::annotation::RECORD;
use serde_json::json;

use crate::admission::{Recorder, Unrecordable};
use crate::metrics::{Metrics, Result as Outcome};

/// A body that is no AdmissionReview of v1 with a request.
#[derive(Debug, thiserror::Error)]
#[error("the body is no admission.k8s.io/v1 AdmissionReview of a pod with a request")]
pub(crate) struct NoReview;

/// Reads a review's body.
pub(crate) fn parse(body: &[u8]) -> Result<AdmissionRequest<Pod>, NoReview> {
    let review: AdmissionReview<Pod> = serde_json::from_slice(body).map_err(|_| NoReview)?;
    if review.types.api_version != "admission.k8s.io/v1" || review.types.kind != "AdmissionReview" {
        return Err(NoReview);
    }
    let request: AdmissionRequest<Pod> = review.try_into().map_err(|_| NoReview)?;
    if request.uid.is_empty() { Err(NoReview) } else { Ok(request) }
}

/// Answers a review: with the pod's record, or as it came.
pub(crate) async fn answer(
    recorder: &Recorder,
    metrics: &Metrics,
    request: &AdmissionRequest<Pod>,
) -> AdmissionReview<DynamicObject> {
    let response = AdmissionResponse::from(request);
    let (response, outcome) = match (&request.object, &request.operation) {
        (Some(pod), Operation::Create) => {
            let namespace = request.namespace.as_deref().unwrap_or_default();
            let record = recorder.record(namespace, pod).await;
            let outcome = Outcome::from(&record);
            tracing::debug!(uid = %request.uid, %namespace, name = %request.name, ?outcome, "reviewed");
            (patched(response, pod, record), outcome)
        }
        _ => (response, Outcome::NotACreate),
    };
    metrics.reviews.get_or_create(&outcome.into()).inc();
    response.into_review()
}

fn patched(
    response: AdmissionResponse,
    pod: &Pod,
    record: Result<String, Unrecordable>,
) -> AdmissionResponse {
    let annotations = pod.metadata.annotations.as_ref();
    let annotation = PointerBuf::from_tokens(["metadata", "annotations", RECORD]);
    let add = |path, value| PatchOperation::Add(AddOperation { path, value });
    let operation = match (record, annotations) {
        (Ok(record), Some(_)) => add(annotation, record.into()),
        (Ok(record), None) => {
            add(PointerBuf::from_tokens(["metadata", "annotations"]), json!({ RECORD: record }))
        }
        // Another pod's record must not stay where this one's cannot be written.
        (Err(_), Some(annotations)) if annotations.contains_key(RECORD) => {
            PatchOperation::Remove(RemoveOperation { path: annotation })
        }
        (Err(_), _) => return response,
    };
    let unpatched = response.clone();
    response.with_patch(Patch(vec![operation])).unwrap_or(unpatched)
}

#[cfg(test)]
mod tests;
