//! The checks: from facts to findings, each with what to do.

use jiff::SignedDuration;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhook;
use kube::core::{Selector, SelectorExt as _};
use reload_core::hash_key::HashKey;

use super::facts::{Deployed, Endpoint, Facts, Namespace};
use super::finding::Finding;
use crate::installation::LABEL;
use crate::version::{OLDEST, minor};

/// A certificate that expires sooner should have been renewed.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long pods may wait for a webhook that is down, in seconds.
const TIMEOUT: i32 = 2;

/// All checks, in order.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![server(facts)];
    if facts.server.is_err() {
        return findings;
    }
    findings.extend(rights(facts));
    if let (Ok(None), Ok(None)) = (&facts.webhook, &facts.deployed) {
        findings.push(Finding::yellow(
            "installation",
            format!(
                "there is no webhook in namespace {}: verdicts rest on times, and say \"possibly\"",
                facts.place.install_namespace
            ),
            "install it with kubectl reload install or by Helm, or name its namespace by --install-namespace",
        ));
        findings.extend(pods(facts));
        return findings;
    }
    findings.extend(registration(facts));
    findings.extend(replicas(facts));
    findings.push(endpoint(facts));
    findings.extend(certificate(facts));
    findings.push(hash_key(facts));
    findings.extend(version(facts));
    findings.extend(namespaces(facts));
    findings.extend(pods(facts));
    findings
}

fn server(facts: &Facts) -> Finding {
    let version = match &facts.server {
        Ok(version) => version,
        Err(why) => return Finding::red("server", why, "kubectl cluster-info; kubectl config get-contexts"),
    };
    match minor(version) {
        Some(found) if found < OLDEST => Finding::red(
            "server",
            format!("{version} is older than v{}.{}", OLDEST.0, OLDEST.1),
            "upgrade the cluster: the webhook's registration needs it",
        ),
        Some(_) => Finding::green("server", version),
        None => Finding::yellow("server", format!("{version} is no version"), "kubectl version"),
    }
}

fn rights(facts: &Facts) -> Vec<Finding> {
    let rights = match &facts.rights {
        Ok(rights) => rights,
        Err(why) => return vec![Finding::unknown("rights", why)],
    };
    let missing: Vec<Finding> = rights
        .iter()
        .filter(|right| !right.allowed)
        .map(|right| {
            let message = format!("may not {}: {}", right.what(), right.without);
            let remedy = format!("grant it, and check it with: {}", right.check());
            match right.vital {
                true => Finding::red("rights", message, remedy),
                false => Finding::yellow("rights", message, remedy),
            }
        })
        .collect();
    if missing.is_empty() {
        return vec![Finding::green("rights", format!("all {} that commands need", rights.len()))];
    }
    missing
}

fn registration(facts: &Facts) -> Vec<Finding> {
    let name = &facts.place.registration;
    let webhook = match &facts.webhook {
        Err(why) => return vec![Finding::unknown("registration", why)],
        Ok(None) => {
            let message = format!("there is no MutatingWebhookConfiguration {name}: no pod is recorded");
            return vec![Finding::red(
                "registration",
                message,
                "install it again, as with kubectl reload install, or name it by --registration",
            )];
        }
        Ok(Some(webhook)) => webhook,
    };
    let edit =
        format!("restore it by what installed it: kubectl get mutatingwebhookconfiguration {name} -o yaml");
    let mut findings = Vec::new();
    if webhook.failure_policy.as_deref() != Some("Ignore") {
        let message = "failurePolicy is not Ignore: no pod can be made while the webhook is down";
        findings.push(Finding::red("registration", message, &edit));
    }
    if webhook.client_config.ca_bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty()) {
        let message = "caBundle is empty: the API server cannot call the webhook, and no pod is recorded";
        let remedy = "the webhook sets it within a minute: look at its log";
        findings.push(Finding::red("registration", message, remedy));
    }
    if let Some(seconds) = webhook.timeout_seconds.filter(|seconds| *seconds > TIMEOUT) {
        let message =
            format!("timeoutSeconds is {seconds}: so long may a pod wait while the webhook is down");
        findings.push(Finding::yellow("registration", message, &edit));
    }
    if webhook.reinvocation_policy.as_deref() != Some("IfNeeded") {
        let message = "reinvocationPolicy is not IfNeeded: what later webhooks add is not recorded";
        findings.push(Finding::yellow("registration", message, &edit));
    }
    if webhook.match_conditions.as_ref().is_none_or(Vec::is_empty) {
        let message = "it has no matchConditions: pods that use no source are sent to the webhook too";
        findings.push(Finding::yellow("registration", message, &edit));
    }
    if !name.starts_with("zz-") {
        let message = format!("{name} is not called last: what webhooks after it add may not be recorded");
        findings.push(Finding::yellow("registration", message, &edit));
    }
    if findings.is_empty() {
        findings.push(Finding::green("registration", name));
    }
    findings
}

fn replicas(facts: &Facts) -> Option<Finding> {
    let install = &facts.place.install_namespace;
    let look = format!("kubectl get pods -n {install} -l {LABEL}");
    Some(match &facts.deployed {
        Err(why) => Finding::unknown("replicas", why),
        Ok(None) => {
            // One that the registration reaches by a URL may run anywhere.
            facts.webhook.as_ref().ok()?.as_ref()?.client_config.service.as_ref()?;
            let message = format!("there is no Deployment of the webhook in namespace {install}");
            Finding::red(
                "replicas",
                message,
                "install it again, as with kubectl reload install, or name its namespace by --install-namespace",
            )
        }
        Ok(Some(Deployed { name, ready: 0, desired, .. })) => Finding::red(
            "replicas",
            format!("none of {desired} of deployment/{name} is ready: no pod is recorded"),
            look,
        ),
        Ok(Some(Deployed { name, ready, desired, .. })) if ready < desired => {
            Finding::yellow("replicas", format!("{ready} of {desired} of deployment/{name} are ready"), look)
        }
        Ok(Some(Deployed { name, desired: 1, .. })) => Finding::yellow(
            "replicas",
            format!("deployment/{name} has one: pods that are made while it restarts have no record"),
            format!("kubectl scale deployment/{name} -n {install} --replicas 2"),
        ),
        Ok(Some(Deployed { name, ready, desired, .. })) => {
            Finding::green("replicas", format!("{ready} of {desired} of deployment/{name} are ready"))
        }
    })
}

fn endpoint(facts: &Facts) -> Finding {
    match &facts.endpoint {
        Endpoint::Answers => Finding::green("endpoint", "the webhook answers the API server"),
        Endpoint::Silent(why) => Finding::yellow(
            "endpoint",
            why,
            "if replicas are ready, let the network pass the API server through to them",
        ),
        Endpoint::NotAsked(why) => Finding::green("endpoint", format!("not asked: {why}")),
    }
}

fn certificate(facts: &Facts) -> Vec<Finding> {
    let look = "look at the webhook's log: it renews by itself";
    let name = facts.certificates();
    let found = match &facts.certificate {
        Err(why) => return vec![Finding::unknown("certificate", why)],
        Ok(None) => {
            let message = format!("not known: there is no Secret {name}");
            let remedy = "where certificates come as files, check what makes them";
            return vec![Finding::yellow("certificate", message, remedy)];
        }
        Ok(Some(Err(why))) => {
            let message = format!("Secret {name} holds no certificate: {why}");
            return vec![Finding::red("certificate", message, look)];
        }
        Ok(Some(Ok(found))) => found,
    };
    let left = found.expires.duration_since(facts.now);
    let mut findings = Vec::new();
    if left <= SignedDuration::ZERO {
        findings.push(Finding::red("certificate", format!("expired at {}", found.expires), look));
    } else if let Err(why) = &found.trusted {
        let message = format!("the registration's caBundle does not fit it ({why}): no pod is recorded");
        findings.push(Finding::red("certificate", message, look));
    }
    if findings.is_empty() && left < SOON {
        findings.push(Finding::yellow("certificate", format!("expires at {}", found.expires), look));
    }
    if findings.is_empty() {
        let message = format!("fits the registration, expires at {}", found.expires);
        findings.push(Finding::green("certificate", message));
    }
    findings
}

fn hash_key(facts: &Facts) -> Finding {
    let name = HashKey::SECRET_NAME;
    let install = &facts.place.install_namespace;
    match &facts.hash_key {
        Err(why) => Finding::yellow(
            "hash key",
            format!("not known: {why}; changed Secrets are judged by times alone"),
            format!("grant get of secret {name} in namespace {install}"),
        ),
        Ok(None) => Finding::yellow(
            "hash key",
            format!("there is no Secret {name} in namespace {install}: Secrets are recorded without hashes"),
            "the webhook makes it unless it may not, or leaves Secrets out: look at its log",
        ),
        Ok(Some(None)) => Finding::red(
            "hash key",
            format!("Secret {name} in namespace {install} holds no key"),
            "delete it, and restart the webhook: it makes a new one",
        ),
        Ok(Some(Some(id))) => Finding::green("hash key", format!("{id} in namespace {install}")),
    }
}

fn version(facts: &Facts) -> Option<Finding> {
    // Another check has told where it cannot be read.
    let deployed = facts.deployed.as_ref().ok()?.as_ref()?;
    let plugin = &facts.plugin;
    let Some(webhook) = &deployed.version else {
        let message = format!("the plugin is v{plugin}, and the webhook does not say what it is");
        let remedy = "label its Deployment with app.kubernetes.io/version";
        return Some(Finding::yellow("version", message, remedy));
    };
    let message = format!("plugin v{plugin}, webhook v{webhook}");
    Some(match go_together(plugin, webhook) {
        true => Finding::green("version", message),
        false => Finding::yellow(
            "version",
            message,
            "upgrade the older one, the webhook by what installed it, as with kubectl reload upgrade",
        ),
    })
}

/// Those of one minor version, or of the next.
fn go_together(plugin: &str, webhook: &str) -> bool {
    match (minor(plugin), minor(webhook)) {
        (Some(plugin), Some(webhook)) => plugin.0 == webhook.0 && plugin.1.abs_diff(webhook.1) <= 1,
        _ => plugin == webhook,
    }
}

/// Those whose pods the registration does not choose, but for its own and the system's.
fn namespaces(facts: &Facts) -> Option<Finding> {
    let webhook = facts.webhook.as_ref().ok()?.as_ref()?;
    let namespaces = match &facts.namespaces {
        Err(why) => return Some(Finding::unknown("namespaces", why)),
        Ok(namespaces) => namespaces,
    };
    let expected = [facts.place.install_namespace.as_str(), "kube-system"];
    let unexpected = |namespace: &&Namespace| !expected.contains(&namespace.name.as_str());
    let left_out = |namespace: &&Namespace| namespace.is_ignored() || !chosen(webhook, namespace);
    let names: Vec<&str> = namespaces
        .iter()
        .filter(unexpected)
        .filter(left_out)
        .map(|namespace| namespace.name.as_str())
        .collect();
    Some(match names.as_slice() {
        [] => Finding::green("namespaces", "none is left out"),
        names => Finding::yellow(
            "namespaces",
            format!("left out: {}", listed(names)),
            "if that is not meant, see the registration's namespaceSelector and kubectl-reload.dev/ignore",
        ),
    })
}

fn chosen(webhook: &MutatingWebhook, namespace: &Namespace) -> bool {
    let Some(selector) = &webhook.namespace_selector else { return true };
    // A selector that is not understood here is understood by the API server.
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(&namespace.labels))
}

/// The first ten.
fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(10);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names[..names.len().min(10)].join(", "))
}

fn pods(facts: &Facts) -> Option<Finding> {
    let pods = match &facts.pods {
        // That right is vital and has been told.
        Err(_) => return None,
        Ok(pods) => pods,
    };
    let message = format!("{} of {} have a record", pods.recorded, pods.all);
    let installed = matches!(&facts.webhook, Ok(Some(_)));
    Some(match pods.recorded {
        0 if installed && pods.all > 0 => Finding::yellow(
            "pods",
            format!("{message}: they use no source, or are from before the webhook"),
            "a pod gets its record when it is made: restart what shall have one",
        ),
        _ => Finding::green("pods", message),
    })
}

#[cfg(test)]
mod tests;
