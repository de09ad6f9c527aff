//! The checks: from facts to findings, each with what to do.

mod webhook;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhook;
use kube::core::{Selector, SelectorExt as _};

use super::facts::{Facts, Namespace};
use super::finding::Finding;
use crate::version::{OLDEST, minor};

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
    findings.extend(webhook::registration(facts));
    findings.extend(webhook::replicas(facts));
    findings.push(webhook::endpoint(facts));
    findings.extend(webhook::admission(facts));
    findings.extend(webhook::certificate(facts));
    findings.push(webhook::hash_key(facts));
    findings.extend(webhook::version(facts));
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
    let have = if pods.recorded == 1 { "has" } else { "have" };
    let message = format!("{} of {} {have} a record", pods.recorded, pods.all);
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
