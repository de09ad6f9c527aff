//! What goes when the webhook is uninstalled, and what stays.

use reload_core::hash_key::HashKey;

use super::UninstallArgs;
use super::leftovers::{Leftovers, leftovers};
use super::records::{RecordedPod, recorded, records_of};
use super::secrets::{OwnSecret, ownerless};
use crate::api::ApiError;
use crate::installation::found::{Found, Standing, is_applied};
use crate::installation::object::{KINDS, NAMESPACE, Object};
use crate::installation::objects::Objects;

/// What is to go.
pub(super) struct Removal {
    /// In order: the registration first, without the namespace.
    pub(super) objects: Vec<Object>,
    /// Those that the webhook has made and nobody owns.
    pub(super) secrets: Vec<OwnSecret>,
    /// Why it is not known whether there are some.
    pub(super) unseen: Option<ApiError>,
    /// Where it is part of the installation.
    pub(super) namespace: Option<Object>,
    /// What else is in it.
    pub(super) leftovers: Leftovers,
    /// Pods whose records are to go.
    pub(super) pods: Vec<RecordedPod>,
}

impl Removal {
    /// Looks for it.
    ///
    /// # Errors
    /// When something of it cannot be looked at, and it is no Secret whose right is missing.
    pub(super) async fn find(
        args: &UninstallArgs,
        objects: &Objects<'_>,
        namespace: &str,
        found: &Found,
        manifest: &[Object],
    ) -> Result<Self, ApiError> {
        let part =
            |object: &&Object| manifest.iter().any(|wanted| wanted.id == object.id) || is_applied(object);
        let mut parts: Vec<Object> = found.installed().filter(part).cloned().collect();
        parts.sort_by_key(|object| KINDS.iter().position(|kind| kind == object.id.kind));
        let own = found.live.iter().find(|object| object.is(NAMESPACE));
        let own = own.filter(|_| found.namespace == Standing::Ours && !args.keep_hash_key).cloned();
        let (mut secrets, unseen) = match ownerless(objects.client, namespace).await {
            Ok(secrets) => (secrets, None),
            Err(error) if error.is_forbidden() => (Vec::new(), Some(error)),
            Err(error) => return Err(error),
        };
        secrets.retain(|secret| !args.keep_hash_key || secret.name != HashKey::SECRET_NAME);
        let leftovers = match own.is_some() {
            true => leftovers(objects.client, namespace, &parts, &secrets).await,
            false => Leftovers::default(),
        };
        let pods = if args.purge { recorded(objects.client).await? } else { Vec::new() };
        Ok(Self { objects: parts, secrets, unseen, namespace: own, leftovers, pods })
    }

    /// What goes, a line each.
    pub(super) fn lines(&self, words: &str) -> Vec<String> {
        let namespace = self.namespace.iter().filter(|_| self.leftovers.why_kept().is_none());
        let mut lines: Vec<String> =
            self.objects.iter().map(|object| format!("{} {words}", object.id)).collect();
        lines.extend(self.secrets.iter().map(|secret| format!("{secret} {words}")));
        if !self.pods.is_empty() {
            lines.push(format!("{} {words}", records_of(self.pods.len())));
        }
        lines.extend(namespace.map(|namespace| format!("{} {words}", namespace.id)));
        lines
    }

    /// Whether nothing else can be part of the installation: all could be looked at.
    pub(super) fn is_all(&self, found: &Found) -> bool {
        // Of a kind that the cluster does not have there is nothing.
        !found.unseen.iter().chain(&self.unseen).any(ApiError::is_forbidden)
    }

    /// What has a name of the installation and is not known to be part of it, and what else stays or may
    /// stay, a line each.
    pub(super) fn stays(&self, found: &Found) -> Vec<String> {
        let goes = |object: &Object| self.objects.iter().any(|gone| gone.id == object.id);
        let strangers = found.live.iter().filter(|object| !object.is(NAMESPACE) && !goes(object));
        let mut lines: Vec<String> = strangers
            .map(|object| format!("{} stays: nothing says that install has made it", object.id))
            .collect();
        let unseen = found.unseen.iter().chain(&self.unseen);
        lines.extend(unseen.map(|error| format!("Something may be left over: {error}")));
        lines.extend(self.namespace.as_ref().and_then(|_| self.leftovers.why_kept()));
        lines
    }
}

#[cfg(test)]
mod tests;
