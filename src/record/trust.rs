//! Whether a record is its pod's own: a copy, a restore or an export can carry a foreign one
//! through an outage of the webhook, which otherwise overwrites whatever a pod brings along.

use jiff::{SignedDuration, Timestamp};

use super::{By, Owner, Record};

/// How far a record's time may lie from its pod's `creationTimestamp`.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// What identifies a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.generateName`.
    pub generate_name: Option<String>,
    /// The uid of its controlling owner.
    pub controller: Option<String>,
    /// `metadata.creationTimestamp`.
    pub created_at: Timestamp,
}

/// Why a record is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Of another namespace.
    #[error("its record was written in another namespace")]
    Namespace,
    /// Of another workload's pod.
    #[error("its record was written for a pod of another owner")]
    Owner,
    /// Of another time.
    #[error("its record was not written when the pod was created")]
    Time,
}

impl Record {
    /// Whether the record belongs to `pod`.
    ///
    /// # Errors
    /// What does not match.
    pub fn check(&self, pod: &PodIdentity) -> Result<(), Distrust> {
        if self.namespace != pod.namespace {
            return Err(Distrust::Namespace);
        }
        if !self.owner.owns(pod) {
            return Err(Distrust::Owner);
        }
        let apart = self.at.duration_since(pod.created_at);
        let in_time = match self.by {
            By::Admission => apart.abs() <= TOLERANCE,
            By::Adopt => apart >= -TOLERANCE,
        };
        if in_time { Ok(()) } else { Err(Distrust::Time) }
    }
}

impl Owner {
    /// The owner as it is known at admission, where a pod with a `generateName` has no name yet.
    pub fn at_admission(
        controller: Option<String>,
        name: Option<String>,
        generate_name: Option<String>,
    ) -> Self {
        match (controller, name.filter(|name| !name.is_empty())) {
            (Some(uid), _) => Self::Controller(uid),
            (None, Some(name)) => Self::Pod(name),
            (None, None) => Self::Generated(generate_name.unwrap_or_default()),
        }
    }

    fn owns(&self, pod: &PodIdentity) -> bool {
        match (self, &pod.controller) {
            (Self::Controller(uid), Some(controller)) => uid == controller,
            (Self::Pod(name), None) => *name == pod.name,
            (Self::Generated(prefix), None) => pod.generate_name.as_ref() == Some(prefix),
            _ => false,
        }
    }
}
