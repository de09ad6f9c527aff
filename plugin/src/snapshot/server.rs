//! Answers of a snapshot to requests, in the API server's form.

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::json;

use super::select::{Invalid, Select};
use super::{NAMESPACES, RESOURCES, Resource, Snapshot};
use crate::api::NOT_HELD;

/// The end of the media type of a request for metadata alone.
const METADATA: &str = "as=PartialObjectMetadata";

/// What a path names.
struct Path<'a> {
    resource: Resource,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Path<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let (api_version, rest) = match path.strip_prefix("/api/") {
            Some(rest) => rest.split_once('/')?,
            None => {
                let rest = path.strip_prefix("/apis/")?;
                let version = rest.match_indices('/').nth(1)?.0;
                (&rest[..version], &rest[version + 1..])
            }
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let (namespace, plural, name) = match parts.as_slice() {
            ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
            ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
            [plural] => (None, *plural, None),
            [plural, name] => (None, *plural, Some(*name)),
            _ => return None,
        };
        let known = |resource: &Resource| (resource.api_version, resource.plural) == (api_version, plural);
        let resource = RESOURCES.into_iter().find(known)?;
        Some(Self { resource, namespace, name })
    }
}

impl Snapshot {
    /// The answer to a request. One that the files do not tell is [`NOT_HELD`].
    pub(super) fn answer(&self, request: &Request<Body>) -> Response<Body> {
        if request.method() != Method::GET {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "files are read, and never written");
        }
        let Some(path) = Path::parse(request.uri().path()) else {
            return refusal(StatusCode::NOT_FOUND, "the files hold no such resource");
        };
        let accept = request.headers().get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let metadata = accept.is_some_and(|accept| accept.contains(METADATA));
        match path.name {
            Some(name) => self.get(&path, name, metadata),
            None => self.list(&path, request.uri().query().unwrap_or_default(), metadata),
        }
    }

    fn get(&self, path: &Path<'_>, name: &str, metadata: bool) -> Response<Body> {
        let namespace = path.namespace.unwrap_or_default();
        let objects = self.objects.get(&path.resource);
        let held = objects.and_then(|objects| objects.get(&(namespace.to_owned(), name.to_owned())));
        match held {
            Some(held) if metadata => found(held.metadata.clone()),
            Some(held) => match held.withheld {
                Some(why) => refusal(NOT_HELD, why),
                None => found(held.json.to_string()),
            },
            None => match self.doubt_object(&path.resource, namespace) {
                Some(why) => refusal(NOT_HELD, &why),
                None => refusal(StatusCode::NOT_FOUND, "the files do not hold it"),
            },
        }
    }

    fn list(&self, path: &Path<'_>, query: &str, metadata: bool) -> Response<Body> {
        let select = match Select::parse(query) {
            Ok(select) => select,
            Err(Invalid(text)) => {
                return refusal(StatusCode::BAD_REQUEST, &format!("{text:?} is no selector"));
            }
        };
        let namespace = path.namespace.filter(|_| path.resource != NAMESPACES);
        if let Some(why) = self.doubt_list(&path.resource, namespace) {
            return refusal(NOT_HELD, &why);
        }
        let all = self.objects.get(&path.resource).into_iter().flat_map(|objects| objects.iter());
        let here = all.filter(|((of, _), _)| namespace.is_none_or(|namespace| of == namespace));
        let mut items = String::new();
        for (_, held) in here.filter(|(_, held)| select.takes(held)) {
            items += if items.is_empty() { "" } else { "," };
            items += if metadata { &held.metadata } else { &held.json };
        }
        found(format!("{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"items\":[{items}]}}"))
    }
}

fn found(json: String) -> Response<Body> {
    response(StatusCode::OK, json)
}

/// A `Status` that says why not.
fn refusal(code: StatusCode, message: &str) -> Response<Body> {
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    response(code, status.to_string())
}

fn response(code: StatusCode, json: String) -> Response<Body> {
    let mut response = Response::new(Body::from(json.into_bytes()));
    *response.status_mut() = code;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
