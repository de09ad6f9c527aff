//! Reviews: from an AdmissionReview (`admission.k8s.io/v1`) to the answer, which always admits the
//! pod.
//!
//! Types of its own: those of the client copy a review several times while they parse it, and refuse
//! it whole where the pod in it is not well-formed.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reload_core::annotation::RECORD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

mod object;

pub(crate) use object::{NoPod, Object, Place, Pod, Size};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A body that is no AdmissionReview of v1 with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is no admission.k8s.io/v1 AdmissionReview that has a request with a uid")]
pub(crate) struct NoReview;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<RawRequest<'a>>,
}

/// What of a request is looked at. Whatever of it is not of its type is as good as not there, but for
/// the uid.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest<'a> {
    uid: String,
    #[serde(default, borrow)]
    kind: Option<&'a RawValue>,
    #[serde(default, borrow)]
    resource: Option<&'a RawValue>,
    #[serde(default, borrow)]
    sub_resource: Option<&'a RawValue>,
    #[serde(default, borrow)]
    operation: Option<&'a RawValue>,
    #[serde(default, borrow)]
    namespace: Option<&'a RawValue>,
    #[serde(default, borrow)]
    name: Option<&'a RawValue>,
    #[serde(default, borrow)]
    object: Option<&'a RawValue>,
}

/// `request.kind` and `request.resource`.
#[derive(Deserialize, Default, PartialEq, Eq)]
struct GroupVersion {
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    resource: String,
}

/// A review's request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// What the answer has to repeat.
    pub(crate) uid: String,
    /// Where the pod is to be, whatever the pod itself says.
    pub(crate) namespace: String,
    /// Its name, empty where it has a `generateName`.
    pub(crate) name: String,
    /// The pod that is to be made, where that is what it asks for.
    pub(crate) object: Option<Object<'a>>,
}

impl<'a> Request<'a> {
    /// Reads a review's body.
    ///
    /// # Errors
    /// [`NoReview`], where there is no uid to answer to.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, NoReview> {
        let review: Review<'a> = serde_json::from_slice(body).map_err(|_| NoReview)?;
        if review.api_version != API_VERSION || review.kind != KIND {
            return Err(NoReview);
        }
        let request = review.request.ok_or(NoReview)?;
        if request.uid.is_empty() {
            return Err(NoReview);
        }
        Ok(Self {
            object: request.object(),
            namespace: text(request.namespace),
            name: text(request.name),
            uid: request.uid,
        })
    }
}

impl<'a> RawRequest<'a> {
    /// The pod, of a creation of one.
    fn object(&self) -> Option<Object<'a>> {
        let core = |value: &GroupVersion| value.group.is_empty() && value.version == "v1";
        let kind: GroupVersion = value(self.kind);
        let resource: GroupVersion = value(self.resource);
        let is_pod = core(&kind) && kind.kind == "Pod" && core(&resource) && resource.resource == "pods";
        let is_creation = text(self.operation) == "CREATE" && text(self.sub_resource).is_empty();
        self.object.filter(|_| is_pod && is_creation).map(Object::new)
    }
}

fn value<T: Default + for<'a> Deserialize<'a>>(raw: Option<&RawValue>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn text(raw: Option<&RawValue>) -> String {
    value(raw)
}

/// The answer: the pod is admitted, with a record or without.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(flatten)]
    patch: Option<Patch>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Patch {
    patch_type: &'static str,
    patch: String,
}

impl Answer {
    /// The object as it came.
    pub(crate) fn unmodified(uid: String) -> Self {
        Self { api_version: API_VERSION, kind: KIND, response: Response { uid, allowed: true, patch: None } }
    }

    /// With this record.
    pub(crate) fn recorded(uid: String, place: Place, record: &str) -> Self {
        let operation = match place {
            Place::Annotations { .. } => json!({"op": "add", "path": path(), "value": record}),
            Place::NoAnnotations => {
                json!({"op": "add", "path": "/metadata/annotations", "value": {RECORD: record}})
            }
            Place::NoMetadata => {
                json!({"op": "add", "path": "/metadata", "value": {"annotations": {RECORD: record}}})
            }
            Place::Unknown => return Self::unmodified(uid),
        };
        Self::patched(uid, &operation)
    }

    /// Without a record: another pod's must not stay where this one's cannot be written.
    pub(crate) fn unrecorded(uid: String, place: Place) -> Self {
        match place {
            Place::Annotations { has_record: true } => {
                Self::patched(uid, &json!({"op": "remove", "path": path()}))
            }
            _ => Self::unmodified(uid),
        }
    }

    fn patched(uid: String, operation: &serde_json::Value) -> Self {
        let patch = STANDARD.encode(json!([operation]).to_string());
        let mut answer = Self::unmodified(uid);
        answer.response.patch = Some(Patch { patch_type: "JSONPatch", patch });
        answer
    }
}

/// The annotation as a JSON pointer (RFC 6901).
fn path() -> String {
    format!("/metadata/annotations/{}", RECORD.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
