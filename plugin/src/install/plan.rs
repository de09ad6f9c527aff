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

/// Of what the API server cannot try, since what it lies in or refers to is to be made before it.
const UNTRIED: &str = " (dry run: the server cannot try it yet)";

/// An object and what becomes of it.
pub(super) struct Step {
    pub(super) object: Object,
    pub(super) change: Change,
    /// Whether the API server has tried it, where it was to try all.
    tried: bool,
    rights: Rights,
}

/// What becomes of the rights that a role gives.
#[derive(Default)]
struct Rights {
    /// Rules of the live role that no rule of the new one covers.
    lost: Vec<Value>,
    /// Whether the new one gives more, too.
    gained: bool,
}

impl Step {
    /// Whether it takes rights away, which pods from before may need as long as they run.
    pub(super) fn narrows(&self) -> bool {
        !self.rights.lost.is_empty()
    }

    /// The role that gives both what pods from before may do and what new ones may, where it takes a
    /// change to do so.
    pub(super) fn meanwhile(&self) -> Option<Object> {
        let mut object = self.object.clone();
        let rules = object.json["rules"].as_array_mut().filter(|_| self.narrows() && self.rights.gained)?;
        rules.extend(self.rights.lost.iter().cloned());
        Some(object)
    }
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
        manifest.sort_by_key(rank);
        let former = found.former(&manifest).into_iter().cloned().collect();
        let (mut steps, mut conflicts) = (Vec::new(), Vec::new());
        for object in manifest {
            let live = found.get(&object.id);
            let mut tried = true;
            let after = match (live, mode) {
                // The server tries nothing in a namespace that is not there.
                (None, _) if object.id.kind.namespaced && found.namespace == Standing::Missing => {
                    tried = false;
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
                        tried = false;
                        object.json.clone()
                    }
                    Err(error) => return Err(error.into()),
                },
            };
            let (change, rights) = (Change::between(live, &after)?, Rights::between(live, &object));
            steps.push(Step { object, change, tried, rights });
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

    /// Whether the webhook records what Secrets hold.
    pub(super) fn records_secrets(&self) -> bool {
        let arguments = self.webhook().and_then(|container| container["args"].as_array());
        arguments.is_some_and(|arguments| arguments.iter().any(|argument| argument == "--secrets=true"))
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
        for Step { object, change, tried, .. } in &self.steps {
            let words = match (dry_run, change) {
                (DryRun::None, Change::Unchanged) => continue,
                (DryRun::None, Change::Create) => "to be created",
                (DryRun::None, Change::Configure(_)) => "to be configured",
                (_, change) => change.done(),
            };
            let suffix = match dry_run {
                DryRun::Server if !tried => UNTRIED,
                dry_run => dry_run.suffix(),
            };
            text += &format!("{} {words}{suffix}\n", printable(&object.id.to_string()));
            text += &change.diff(paint);
        }
        let removed = if dry_run == DryRun::None { "to be deleted" } else { "deleted" };
        for object in &self.former {
            text += &format!("{} {removed}{}\n", printable(&object.id.to_string()), dry_run.suffix());
        }
        text
    }
}

/// What everything lies in comes first, what pods are sent by last.
fn rank(object: &Object) -> u8 {
    match object.id.kind.name {
        NAMESPACE => 0,
        REGISTRATION => 2,
        _ => 1,
    }
}

impl Rights {
    /// Of no change where it is no role.
    fn between(live: Option<&Object>, wanted: &Object) -> Self {
        let Some(live) = live.filter(|object| object.is("Role") || object.is("ClusterRole")) else {
            return Self::default();
        };
        let rules = |object: &Object| object.json["rules"].as_array().cloned().unwrap_or_default();
        let (old, new) = (rules(live), rules(wanted));
        let covered = |rule: &Value, by: &[Value]| by.iter().any(|by| covers(by, rule));
        let gained = new.iter().any(|rule| !covered(rule, &old));
        Self { lost: old.into_iter().filter(|rule| !covered(rule, &new)).collect(), gained }
    }
}

/// Whether a rule gives all that another one does.
fn covers(rule: &Value, other: &Value) -> bool {
    let list = |rule: &Value, field: &str| rule[field].as_array().cloned().unwrap_or_default();
    let all = ["apiGroups", "resources", "verbs", "nonResourceURLs"].iter().all(|field| {
        let given = list(rule, field);
        list(other, field).iter().all(|item| given.contains(item))
    });
    // No name stands for every name.
    let (given, names) = (list(rule, "resourceNames"), list(other, "resourceNames"));
    all && (given.is_empty() || !names.is_empty() && names.iter().all(|name| given.contains(name)))
}

#[cfg(test)]
mod tests;
