//! Checks of the webhook: its registration, its replicas, and what lies between them and the API server.

use jiff::SignedDuration;
use reload_core::hash_key::HashKey;

use super::super::deployed::Deployed;
use super::super::facts::{Endpoint, Facts};
use super::super::finding::Finding;
use crate::installation::LABEL;
use crate::installation::proof::Proof;
use crate::version::minor;

/// A certificate that expires sooner should have been renewed.
pub(super) const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long pods may wait for a webhook that is down, in seconds.
const TIMEOUT: i32 = 2;

pub(super) fn registration(facts: &Facts) -> Vec<Finding> {
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

pub(super) fn replicas(facts: &Facts) -> Option<Finding> {
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
            let are = if *ready == 1 { "is" } else { "are" };
            Finding::yellow(
                "replicas",
                format!("{ready} of {desired} of deployment/{name} {are} ready"),
                look,
            )
        }
        Ok(Some(Deployed { name, desired: 1, .. })) => Finding::yellow(
            "replicas",
            format!("deployment/{name} has one replica: pods that are made while it restarts have no record"),
            format!("kubectl scale deployment/{name} -n {install} --replicas 2"),
        ),
        Ok(Some(Deployed { name, ready, desired, .. })) => {
            Finding::green("replicas", format!("{ready} of {desired} of deployment/{name} are ready"))
        }
    })
}

pub(super) fn endpoint(facts: &Facts) -> Finding {
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

/// The whole way that pods go, as the API server goes it: it checks the certificate that is served.
pub(super) fn admission(facts: &Facts) -> Option<Finding> {
    Some(match facts.admission.as_ref()? {
        Proof::Recorded(namespace) => Finding::green(
            "admission",
            format!("a pod that was tried in namespace {namespace} came back with its record"),
        ),
        Proof::Unrecorded { namespace, why } => Finding::red(
            "admission",
            format!("a pod that was tried in namespace {namespace} {why}"),
            "mend what else is found here; then see the API server's log for the webhook's name",
        ),
        Proof::Untried(whys) => Finding::yellow(
            "admission",
            format!("whether a pod is recorded was not tried: {}", whys.join("; ")),
            "run this command as somebody who may create pods in a namespace that takes them",
        ),
        Proof::Failed(whys) => Finding::yellow(
            "admission",
            format!("no pod could be tried: {}", whys.join("; ")),
            "if it is the webhook that pods fail for, restore failurePolicy: Ignore",
        ),
    })
}

pub(super) fn certificate(facts: &Facts) -> Vec<Finding> {
    let Some(name) = facts.certificates() else {
        let remedy = "check what makes the files that --tls-cert-file names; the webhook's metrics tell until when \
                      the certificate holds";
        return vec![Finding::yellow(
            "certificate",
            "not known: it comes as a file, and of no Secret",
            remedy,
        )];
    };
    let look =
        "look at the webhook's log, which renews its own certificates by itself; others, at what makes them";
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

pub(super) fn hash_key(facts: &Facts) -> Finding {
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

pub(super) fn version(facts: &Facts) -> Option<Finding> {
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
