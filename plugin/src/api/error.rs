//! Why a request has no result.

use http::StatusCode;
use serde::Deserialize;

use super::{NOT_HELD, Resource};
use crate::connection::auth_cause;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The right is missing.
    #[error("may not {what}: grant the right, and check it with: {check}")]
    Forbidden { what: String, check: String },
    /// Files stand in for the cluster, and do not tell.
    #[error("cannot {what}: {why}. What to write is shown by: kubectl reload status --help")]
    NotHeld { what: String, why: String },
    /// Not logged in.
    #[error(
        "the cluster does not accept these credentials to {what}: log in again, or check the user with: kubectl auth whoami"
    )]
    Unauthorized { what: String },
    /// There is no such thing.
    #[error("cannot {what}: not found")]
    NotFound { what: String },
    /// The API server refused.
    #[error("cannot {what}: the API server answered {status}: {message}")]
    Refused { what: String, status: StatusCode, message: String },
    /// It did not answer.
    #[error(
        "cannot {what}: the cluster does not answer ({cause}). Check the address with: kubectl cluster-info; or choose another by --context"
    )]
    Unreachable { what: String, cause: String },
    /// It answered something else.
    #[error("cannot {what}: the answer is not what was asked for")]
    Malformed { what: String },
}

impl ApiError {
    /// Whether a right is missing, so that the rest of an answer can still be given.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden { .. } | Self::NotHeld { .. })
    }

    /// What files do not tell, where they stand in for the cluster.
    pub(crate) fn not_held(&self) -> Option<&str> {
        match self {
            Self::NotHeld { why, .. } => Some(why),
            _ => None,
        }
    }

    /// Whether there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// An error of a typed call, which must be about objects that hold no values.
    pub(crate) fn of(error: kube::Error, verb: &str, resource: &Resource<'_>) -> Self {
        match error {
            kube::Error::Api(status) => {
                let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                // The right is there, and admission or the rule that nobody grants more than they have
                // says no: only its own words tell why.
                if code == StatusCode::FORBIDDEN && !status.message.contains(" cannot ") {
                    return Self::Refused {
                        what: resource.what(verb),
                        status: code,
                        message: status.message,
                    };
                }
                Self::status(code, status.message, verb, resource)
            }
            kube::Error::SerdeError(_) => Self::Malformed { what: resource.what(verb) },
            other => Self::Unreachable { what: resource.what(verb), cause: root_cause(&other) },
        }
    }

    pub(super) fn status(code: StatusCode, message: String, verb: &str, resource: &Resource<'_>) -> Self {
        let what = resource.what(verb);
        match code {
            StatusCode::FORBIDDEN => Self::Forbidden { what, check: resource.check(verb) },
            NOT_HELD => Self::NotHeld { what, why: message },
            StatusCode::UNAUTHORIZED => Self::Unauthorized { what },
            StatusCode::NOT_FOUND => Self::NotFound { what },
            status => Self::Refused { what, status, message },
        }
    }
}

/// The message of a Status object.
pub(super) fn message(json: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    serde_json::from_slice::<Status>(json)
        .map_or_else(|_| "no reason given".to_owned(), |status| status.message)
}

/// The innermost error: the one that says what is wrong.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        if let Some(error) = cause.downcast_ref() {
            return auth_cause(error);
        }
        cause = source;
    }
    cause.downcast_ref().map_or_else(|| cause.to_string(), auth_cause)
}
