//! What is to be written: an object after the other, compared with what is there.

use serde_json::Value;

use super::change::{Change, overlay};
use crate::color::Paint;
use crate::dry_run::DryRun;
use crate::installation::found::{Found, Standing};
use crate::installation::object::{DEPLOYMENT, NAMESPACE, Object, REGISTRATION};
use crate::installation::objects::{ApplyError, Conflict, How, Objects};
use crate::screen::Screen;
use crate::table::printable;

/// An object and what becomes of it.
pub(super) struct Step {
    pub(super) object: Object,
    pub(super) change: Change,
}

/// What is to be done, in this order.
pub(super) struct Plan {
    /// The namespace first, the registration last.
    pub(super) steps: Vec<Step>,
    /// What was installed once, and is not in the manifest any more.
    pub(super) former: Vec<Object>,
}

impl Plan {
    /// Compares a manifest with what is there: by dry runs on the server, unless nothing shall be sent.
    ///
    /// # Errors
    /// When others own fields that differ, each of which is told, and when the API server refuses an
    /// object.
    pub(super) async fn make(
        objects: &Objects<'_>,
        mut manifest: Vec<Object>,
        found: &Found,
        (mode, force): (DryRun, bool),
        screen: &Screen,
    ) -> anyhow::Result<Self> {
        // Whoever has made the namespace looks after it.
        manifest.retain(|object| !object.is(NAMESPACE) || found.namespace != Standing::Others);
        manifest.sort_by_key(|object| match object.id.kind.name {
            NAMESPACE => 0,
            REGISTRATION => 2,
            _ => 1,
        });
        let former = found.former(&manifest).into_iter().cloned().collect();
        let (mut steps, mut conflicts) = (Vec::new(), Vec::new());
        for object in manifest {
            let live = found.get(&object.id);
            let after = match (live, mode) {
                // The server tries nothing in a namespace that is not there.
                (None, _) if object.id.kind.namespaced && found.namespace == Standing::Missing => {
                    object.json.clone()
                }
                (live, DryRun::Client) => {
                    live.map_or_else(|| object.json.clone(), |live| overlay(&live.json, &object.json))
                }
                _ => match objects.apply(&object, How { dry_run: true, force }).await {
                    Ok(after) => after.json,
                    Err(ApplyError::Conflicts(fields)) => {
                        conflicts.extend(fields.into_iter().map(|field| (object.id.clone(), field)));
                        continue;
                    }
                    // What it refers to is to be created before it: a role.
                    Err(ApplyError::Api(error)) if live.is_none() && error.is_not_found() => {
                        object.json.clone()
                    }
                    Err(error) => return Err(error.into()),
                },
            };
            steps.push(Step { change: Change::between(live, &after)?, object });
        }
        for (id, Conflict { with, field }) in &conflicts {
            screen.tell(&format!("  {id} {field}: {with}"));
        }
        anyhow::ensure!(
            conflicts.is_empty(),
            "others have set what is to be set: leave it to them by --set, or take it over by --force-conflicts"
        );
        Ok(Self { steps, former })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.former.is_empty() && self.steps.iter().all(|step| step.change == Change::Unchanged)
    }

    /// The webhook's image.
    pub(super) fn image(&self) -> &str {
        self.webhook().and_then(|container| container["image"].as_str()).unwrap_or_default()
    }

    /// The webhook's container.
    fn webhook(&self) -> Option<&Value> {
        let deployment = self.steps.iter().find(|step| step.object.is(DEPLOYMENT))?;
        deployment.object.json.pointer("/spec/template/spec/containers/0")
    }

    /// What would be done, for a person who is asked, or who only wants to know.
    pub(super) fn text(&self, dry_run: DryRun, paint: Paint) -> String {
        let mut text = String::new();
        for Step { object, change } in &self.steps {
            let words = match (dry_run, change) {
                (DryRun::None, Change::Unchanged) => continue,
                (DryRun::None, Change::Create) => "to be created",
                (DryRun::None, Change::Configure(_)) => "to be configured",
                (_, change) => change.done(),
            };
            text += &format!("{} {words}{}\n", printable(&object.id.to_string()), dry_run.suffix());
            text += &change.diff(paint);
        }
        let removed = if dry_run == DryRun::None { "to be deleted" } else { "deleted" };
        for object in &self.former {
            text += &format!("{} {removed}{}\n", printable(&object.id.to_string()), dry_run.suffix());
        }
        text
    }
}
    /// Whether the webhook records what Secrets hold.
    pub(super) fn records_secrets(&self) -> bool {
        let arguments = self.webhook().and_then(|container| container["args"].as_array());
        arguments.is_some_and(|arguments| arguments.iter().any(|argument| argument == "--secrets=true"))
    }

